"""The two lanes of the tests, `make test` and `make test-slow`: the marker and the Makefile agree."""

import ast
import re
from itertools import product
from pathlib import Path

TREE = Path(__file__).parents[2]


def test_every_slow_test_says_why():
    marked, silent = [], []
    for path in sorted((TREE / "tests").rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        uses = [node for node in nodes if is_slow_marker(node)]
        calls = [node for node in nodes if isinstance(node, ast.Call) and is_slow_marker(node.func)]
        reasons = [call for call in calls if [word.arg for word in call.keywords] == ["reason"] and not call.args]
        marked += [path.name] * bool(uses)
        silent += [path.name] * (len(uses) - len(reasons))

    assert marked
    assert silent == []


def is_slow_marker(node: ast.AST) -> bool:
    """Tell the expression `pytest.mark.slow`."""
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.slow"


def test_the_two_lanes_leave_no_test_out():
    """The two expressions of the Makefile choose all that pytest chooses without one, once."""
    lanes = re.findall(r"^(?:QUICK|SLOW) := -m \"(.*)\"$", (TREE / "Makefile").read_text(), re.M)
    everything = re.search(r"-m '(.*)'\"", (TREE / "pyproject.toml").read_text())[1]
    choices = [dict(zip(("slow", "soak", "zoo"), values, strict=True)) for values in product((False, True), repeat=3)]

    assert len(lanes) == 2
    for marks in choices:
        assert sum(eval(lane, {}, marks) for lane in lanes) == eval(everything, {}, marks)
