"""Documentation that runs, and commands that explain themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import here

from edgelstm import calibration_data
from edgelstm.cli import COMMANDS

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def readme_commands() -> list[str]:
    """The commands for one's own data, as the README has them."""
    text = (ROOT / "README.md").read_text()
    block = text[text.index("Your own data") :].split("\n\n")[1]
    return [line.strip() for line in block.splitlines()]


def tutorial_commands() -> list[str]:
    """The commands of the tutorial that need no Raspberry Pi."""
    return re.findall(r"^\$ (.*)$", (ROOT / "docs/tutorial/first-alarm.md").read_text(), re.M)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder a document; the README's has the CSV files that it names."""
    readme, tutorial = tmp_path_factory.mktemp("readme"), tmp_path_factory.mktemp("tutorial")
    for source, target, count in (("pump_normal.csv", "normal.csv", 2500), ("pump_faults.csv", "labelled.csv", 2000)):
        rows = calibration_data.write(source, readme).read_text().splitlines()[: count + 1]
        (readme / target).write_text("\n".join(rows) + "\n")
    (readme / "live.csv").write_text("\n".join(row.rsplit(",", 2)[0] for row in rows) + "\n")
    return {"readme": readme, "tutorial": tutorial}


@pytest.mark.slow(reason="whole commands as a user types them, each starting TensorFlow")
@pytest.mark.parametrize(
    ("document", "command"),
    [("readme", command) for command in readme_commands()] + [("tutorial", command) for command in tutorial_commands()],
)
def test_the_documented_commands_run_in_their_order(document, command, folders):
    result = subprocess.run(
        ["bash", "-ec", command],
        cwd=folders[document],
        env={"PATH": f"{BIN}:/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr
    if command.startswith("edgelstm run"):
        assert '"kind":"anomaly"' in result.stdout


@pytest.mark.filterwarnings("default")
def test_the_lstm_page_runs():
    path = ROOT / "docs/explanation/lstm.md"
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.S)

    exec(compile("\n".join(blocks), str(path), "exec"), {})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_place_in_the_readme(name):
    text = here(name, "-h").stdout

    assert "Example" in text
    assert f"edgelstm {name}" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("script", ["architecture.py", "reference.py", "notebooks.py"])
def test_generated_pages_are_up_to_date(script):
    result = subprocess.run([sys.executable, ROOT / "docs/scripts" / script, "--check"], capture_output=True, text=True)

    assert result.stderr == ""
    assert result.returncode == 0
