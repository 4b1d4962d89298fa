"""runtime ◀── converters ◀── edgelstm: read from the sources, so that an import inside a function counts too."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import edgelstm.runtime
import pytest

import edgelstm

RUNTIME = Path(edgelstm.runtime.__file__).parent
SLIM = {"numpy", "click", "tomli", "ai_edge_litert", "tflite_runtime"}
EXTRAS = {
    "paho": "mqtt",
    "serial": "serial",
    "tuf": "update",
    "urllib3": "update",
}  # modules of one file each, behind an extra


def imports(path: Path, package: str) -> set[str]:
    """Absolute names of all modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (base, node.module) if part)
            found |= {f"edgelstm.{alias.name}" for alias in node.names} if source == "edgelstm" else {source}
    return found


def files(folder: Path, package: str) -> list[tuple[Path, str]]:
    """Python files below a folder with the package each belongs to."""
    return [
        (path, ".".join([package, *path.relative_to(folder).parent.parts])) for path in sorted(folder.rglob("*.py"))
    ]


def test_runtime_imports_only_numpy_the_standard_library_and_itself():
    foreign = {
        f"{path.name}: {name}"
        for path, package in files(RUNTIME, "edgelstm.runtime")
        for name in imports(path, package)
        if not name.startswith("edgelstm.runtime")
        and name.split(".")[0] not in sys.stdlib_module_names | SLIM | set(EXTRAS)
    }

    assert foreign == set()


def test_converters_never_reach_into_the_trainer():
    converters = pytest.importorskip("edgelstm.converters", reason="not part of this install")
    folder = Path(converters.__file__).parent
    allowed = ("edgelstm.runtime", "edgelstm.converters")

    reached = {
        name
        for path, package in files(folder, "edgelstm.converters")
        for name in imports(path, package)
        if name.startswith("edgelstm.") and not name.startswith(allowed)
    }

    assert reached == set()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Modules that `edgelstm run` has loaded after scoring a file, with their files."""
    models = Path(__file__).parent / "models"
    code = (
        "import json, sys, edgelstm.cli\n"
        f"sys.argv = ['edgelstm', 'run', {str(models / 'auto.int8.tflite')!r}, {str(models / 'stream.csv')!r}]\n"
        "try: edgelstm.cli.main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "print(json.dumps({name: getattr(module, '__file__', None) for name, module in sys.modules.items()}))"
    )
    folder = tmp_path_factory.mktemp("run")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    modules = json.loads(done.stdout.splitlines()[-1])
    assert "edgelstm.runtime.detector" in modules
    return modules


def test_run_loads_at_most_610_kb_of_our_sources(loaded):
    """All of our modules that a plain run has loaded: an int8 model, a file, events to standard output, nothing kept.

    What only other sources, sinks, a state or a live page need is imported where it is used.
    """
    sources = [Path(file) for name, file in loaded.items() if name.startswith("edgelstm") and file]

    assert sum(path.stat().st_size for path in sources) <= 610_000


def test_updates_cost_nothing_where_they_are_not_configured(loaded):
    assert not [name for name in loaded if name.startswith(("edgelstm.runtime.updates", "tuf", "securesystemslib"))]
