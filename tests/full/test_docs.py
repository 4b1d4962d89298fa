"""Documentation that runs, and commands that explain themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgelstm.cli import COMMANDS

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("edgelstm"))


@pytest.mark.filterwarnings("default")
def test_the_lstm_page_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/explanation/lstm.md").read_text(), re.S)

    exec(compile("\n".join(blocks), "docs/explanation/lstm.md", "exec"), {})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_place_in_the_readme(name):
    said = subprocess.run([COMMAND, name, "-h"], capture_output=True, text=True, check=True).stdout

    assert "Example" in said
    assert f"edgelstm {name}" in (ROOT / "README.md").read_text()


def test_links_in_readme_and_docs_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
