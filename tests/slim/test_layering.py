"""runtime ◀── converters ◀── edgelstm: read from the sources, so that an import inside a function counts too."""

import ast
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


@pytest.mark.parametrize(("path", "package"), files(RUNTIME, "edgelstm.runtime"), ids=lambda item: str(item)[-40:])
def test_runtime_imports_only_numpy_the_standard_library_and_itself(path, package):
    foreign = {
        name
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


def test_run_loads_at_most_600_kb_of_our_sources(tmp_path):
    """The budget of the device: what `edgelstm run` has in `sys.modules` after scoring a file."""
    model, data = Path(__file__).parent / "models" / "auto.int8.tflite", Path(__file__).parent / "models" / "stream.csv"
    code = (
        "import sys, edgelstm.cli\n"
        f"sys.argv = ['edgelstm', 'run', {str(model)!r}, {str(data)!r}]\n"
        "try: edgelstm.cli.main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "print(*(m.__file__ for n, m in sorted(sys.modules.items()) if n.startswith('edgelstm') and m.__file__))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    sources = result.stdout.split("\n")[-2].split()

    assert any(name.endswith("detector.py") for name in sources)
    assert sum(Path(name).stat().st_size for name in sources) <= 600_000


def test_updates_cost_nothing_where_they_are_not_configured(tmp_path):
    model, data = Path(__file__).parent / "models" / "auto.int8.tflite", Path(__file__).parent / "models" / "stream.csv"
    code = (
        "import sys, edgelstm.cli\n"
        f"sys.argv = ['edgelstm', 'run', {str(model)!r}, {str(data)!r}]\n"
        "try: edgelstm.cli.main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = result.stdout.split("\n")[-2].split()

    assert "edgelstm.runtime.detector" in loaded
    assert not [name for name in loaded if name.startswith(("edgelstm.runtime.updates", "tuf", "securesystemslib"))]
