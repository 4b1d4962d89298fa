"""House rules that no linter knows: language, size of files, public names, declared imports, installed files."""

import ast
import importlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import edgelstm.runtime
import pytest
from edgelstm.runtime.version import RELEASED

import edgelstm

RUNTIME = Path(edgelstm.runtime.__file__).parent
TREE = Path(__file__).parents[2]
PACKAGES = {"edgelstm": "edgelstm", "edgelstm.runtime": "runtime", "edgelstm.converters": "converters"}
RIDDLES = ("What", "How", "Whether", "Which", "Where", "Who", "Whom", "Whose", "Why")
FOGGY_NAMES = {"found", "given", "said"}
# Module name of each distribution that is called differently.
DISTRIBUTIONS = {
    "ai_edge_litert": "ai-edge-litert",
    "tflite_runtime": "tflite-runtime",
    "tflite_micro": "tflite-micro",
    "sklearn": "scikit-learn",
    "paho": "paho-mqtt",
    "serial": "pyserial",
    "mlflow": "mlflow-skinny",
}


def sources(*folders: str) -> list[Path]:
    """Python files of the project's own tree below some folders."""
    return [path for folder in folders for path in sorted((TREE / folder).rglob("*.py"))]


OURS = sources("edgelstm", "converters", "runtime", "calibration_data")
ALL = [*OURS, *sources("tests", "benchmarks", "docs", ".github")]


@cache
def tree_of(path: Path) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def breaking(paths: list[Path], lines: Callable[[ast.Module], Iterable[str]]) -> list[str]:
    """Places that break a rule, as `file: what`."""
    return [f"{path.relative_to(TREE)}: {line}" for path in paths for line in lines(tree_of(path))]


def docstrings(tree: ast.Module) -> Iterable[str]:
    """Yield the docstrings of modules, classes and functions, and those that follow an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""
            for attribute, behind in pairwise(node.body):
                text = (
                    behind.value.value
                    if isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant)
                    else ""
                )
                if isinstance(attribute, (ast.Assign, ast.AnnAssign)) and isinstance(text, str):
                    yield text.strip()


def public_functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions of a module and methods of its classes without a leading underscore."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]
    return [
        node
        for body in bodies
        for node in body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name[0] != "_" and not is_command(node)
    ]


def constructors(tree: ast.Module) -> list[tuple[ast.ClassDef, ast.FunctionDef]]:
    """Public classes of a module that have an `__init__`; its parameters are explained by the class."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    return [
        (node, method)
        for node in classes
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
    ]


def is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell a click command, whose parameters are explained by its options."""
    return any("click" in ast.unparse(decorator) for decorator in function.decorator_list)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of a function's parameters but `self` and `cls`."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def test_no_docstring_opens_with_a_question():
    def riddles(tree):
        openings = [text.splitlines()[0] for text in docstrings(tree) if text]
        return [line for line in openings if line.split()[0].strip(".,:`") in RIDDLES]

    assert breaking(ALL, riddles) == []


def test_files_have_at_most_300_lines():
    counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ALL}

    assert {str(path): count for path, count in counts.items() if count > 300} == {}


def test_public_functions_with_two_parameters_explain_them():
    def lacking(tree):
        functions = [function for function in public_functions(tree) if len(parameters(function)) >= 2]
        texts = [(function.name, ast.get_docstring(function) or "") for function in functions]
        makers = [owner for owner, method in constructors(tree) if len(parameters(method)) >= 2]
        texts += [(owner.name, ast.get_docstring(owner) or "") for owner in makers]
        # what begins with a reference is explained where that leads
        return [name for name, text in texts if "Args:" not in text and not text.startswith(("See `", "As `"))]

    assert breaking(OURS, lacking) == []


def test_variables_are_named_after_what_they_hold():
    def foggy(tree):
        stored = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        return sorted({node.id for node in stored} & FOGGY_NAMES)

    assert breaking(OURS, foggy) == []


@pytest.mark.parametrize("package", ["edgelstm", "edgelstm.runtime", "edgelstm.converters"])
def test_every_public_name_can_be_imported(package):
    if package != "edgelstm.runtime":
        pytest.importorskip("tensorflow", reason="needs the train extra")
    module = importlib.import_module(package)

    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(module, name) is not None for name in module.__all__)


OFFERING = [path for path in OURS if path.name == "__init__.py" and "__all__" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", OFFERING, ids=lambda path: path.parent.relative_to(TREE).as_posix())
def test_all_names_what_a_package_offers(path):
    """Names from its own modules and its own definitions; names from elsewhere are only used."""
    tree = tree_of(path)
    own = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and offers(node)]
    offered = {alias.asname or alias.name for node in own for alias in node.names}
    offered |= {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    values = {node.targets[0].id: node.value for node in assigned if isinstance(node.targets[0], ast.Name)}
    names = set(ast.literal_eval(values["__all__"]))

    assert {name for name in offered if name[0] != "_"} == {name for name in names if name[0] != "_"}
    if "_HOMES" in values:
        assert set(ast.literal_eval(values["_HOMES"])) == names - {"__version__"}


def offers(node: ast.ImportFrom) -> bool:
    """Tell an import of a package's own modules."""
    return node.level == 1 or (node.module or "").startswith(("edgelstm.api.", "edgelstm.runtime.errors"))


def git(*words: str) -> str:
    """Answer of git about the project's own tree, empty where there is none."""
    result = subprocess.run(["git", *words], cwd=TREE, capture_output=True, text=True)
    return result.stdout.strip() if not result.returncode else ""


@pytest.mark.skipif(
    not (TREE / ".git").exists()
    or shutil.which("git") is None
    or git("rev-parse", "--is-shallow-repository") != "false",
    reason="the day of the version's commit is in the history, which is not here",
)
def test_the_day_of_release_is_raised_with_the_version():
    """Devices with a wrong clock judge the expiry of signatures by it."""
    versioned = git("log", "-1", "--format=%cs", "-G^__version__", "--", "runtime/version.py")
    changed = re.search(r"^\+__version__", git("diff", "HEAD", "--", "runtime/version.py"), re.MULTILINE)
    day = date.fromisoformat(RELEASED)

    assert date.fromisoformat(versioned) - timedelta(days=31) <= day <= date.today()
    assert not changed or date.today() - timedelta(days=31) <= day


def requirement_names() -> set[str]:
    """Distributions that pyproject.toml declares, extras included."""
    return {re.split(r"[^A-Za-z0-9._-]", line)[0].lower() for line in metadata.requires("edgelstm") or []}


def test_every_import_is_declared():
    own = {"edgelstm", "calibration_data", "converters", "runtime"}
    third = {
        name.split(".")[0]
        for path in OURS
        for node in ast.walk(tree_of(path))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom) and not node.level and node.module
            else []
        )
        if name.split(".")[0] not in sys.stdlib_module_names | own
    }

    assert {DISTRIBUTIONS.get(name, name) for name in third} <= requirement_names()


def test_the_wheel_holds_every_file_of_the_tree_and_no_other():
    installed = {str(path) for path in metadata.files("edgelstm") or []}
    if "edgelstm/runtime/detector.py" not in installed:
        pytest.skip("an editable install has no files of its own")
    homes = {"edgelstm": "edgelstm", "converters": "edgelstm/converters", "runtime": "edgelstm/runtime"}
    homes["calibration_data"] = "edgelstm/calibration_data"
    endings = {".py", ".html", ".css", ".js", ".json", ".j2", ".typed"}
    tree = {
        f"{home}/{path.relative_to(TREE / folder).as_posix()}"
        for folder, home in homes.items()
        for path in (TREE / folder).rglob("*")
        if path.suffix in endings
    } | {f"edgelstm/calibration_data/{name}" for name in ("intents_grammar.txt", "intents_test.csv")}
    packaged = {name for name in installed if name.startswith("edgelstm/") and not name.endswith(".pyc")}

    assert packaged == tree


def test_no_two_test_files_of_one_run_have_the_same_name():
    """Pytest imports them by their names alone: a second one of a name is an error when all of them are collected."""
    runs = (["slim"], ["full", "data"])
    names = [[path.name for folder in run for path in (TREE / "tests" / folder).rglob("test_*.py")] for run in runs]

    assert [name for run in names for name, count in Counter(run).items() if count > 1] == []
