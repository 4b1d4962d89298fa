"""The steps of docs/how-to/update-models.md, executed in their order: publication, update, lost and stolen keys."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from command_helpers import edgelstm_here

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from edgelstm.runtime.updates.store import ModelStore
from update_forms import PASSPHRASE, model

pytestmark = pytest.mark.slow(reason="whole commands as a user types them")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "update-models.md"
ELSEWHERE = ("pip ", "edgelstm run ", "edgelstm fleet ", "edgelstm promote ")  # with a broker: test_fleet.py
ELSEWHERE_DEVICE = "edgelstm update --from https://models.example/"


def steps():
    """Commands of the page by section."""
    sections = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        for block in re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL):
            for line in block.splitlines():
                if line and not line.startswith(ELSEWHERE):
                    yield title, line


def execute(line):
    """Run a command of the page in the working folder; those of ours in this process, which has started already."""
    words = shlex.split(line)
    if words[0] == "edgelstm":
        result = edgelstm_here(*words[1:])
    else:
        result = subprocess.run(words, capture_output=True, text=True)
    assert result.returncode == 0, (line, result.stderr)


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not part of this install")
def test_the_steps_of_the_page_lead_a_device_through_lost_and_stolen_keys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGELSTM_KEY_PASSPHRASE", PASSPHRASE)
    (tmp_path / "pump.int8.tflite").write_bytes(model("first"))
    update = "edgelstm update --from repository --root root.json --group canary --to ./models"
    titles = []

    for title, line in steps():
        if titles and title != titles[-1] and titles[-1] != "Make the keys, once":
            execute(update)  # a device follows each section
        titles.append(title)
        if title == "Return to the model before":
            (tmp_path / "pump.int8.tflite").write_bytes(model("second"))
            execute("edgelstm publish pump.int8.tflite --to ./repository --group canary --key release.key")
            execute(update)
        execute(update if line.startswith(ELSEWHERE_DEVICE) else line)
        if title == "Make the keys, once" and "keys root" in line:
            shutil.copy(tmp_path / "repository" / "root.json", tmp_path / "root.json")
    (tmp_path / "pump.int8.tflite").write_bytes(model("third"))
    execute("edgelstm publish pump.int8.tflite --to ./repository --group canary --key release-3.key")
    execute(update)

    ledger = ModelStore(tmp_path / "models").ledger
    assert {"Change a release key, or replace a lost one", "After a theft of the release key"} <= set(titles)
    assert titles[-1] == "Replace a lost root key"
    assert (tmp_path / "models" / "pump.tflite").read_bytes() == model("third")
    assert len({entry.signers for entry in ledger.history}) == 2  # the first release key, and the last one
