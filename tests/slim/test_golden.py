"""Behaviour as it was recorded in `tests/golden`: scores, events, snapshots, metadata, thresholds and forecasts."""

import json
import math
import platform
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.json"))
# float kernels round differently in other interpreters: 5e-6 between tflite-runtime 2.14 and ai-edge-litert 2.3
RELATIVE = 1e-5


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    """A folder with the record of the installed package."""
    folder = tmp_path_factory.mktemp("golden")
    done = subprocess.run(
        [sys.executable, str(GOLDEN / "record.py"), str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,  # a machine with much other work
    )
    assert done.returncode == 0, done.stderr
    return folder


def differences(recorded, made, relative, place=""):
    """Yield each place in which two records differ."""
    if isinstance(recorded, dict) and isinstance(made, dict) and recorded.keys() == made.keys():
        for key in recorded:
            yield from differences(recorded[key], made[key], relative, f"{place}/{key}")
    elif isinstance(recorded, list) and isinstance(made, list) and len(recorded) == len(made):
        for index, pair in enumerate(zip(recorded, made, strict=True)):
            yield from differences(*pair, relative, f"{place}/{index}")
    elif isinstance(recorded, float) and isinstance(made, float) and relative:
        if not math.isclose(recorded, made, rel_tol=relative, abs_tol=relative):
            yield f"{place}: {recorded!r} became {made!r}"
    elif recorded != made:
        yield f"{place}: {recorded!r} became {made!r}"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="recorded on x86_64")
@pytest.mark.parametrize("name", NAMES)
def test_a_model_does_what_it_did_when_it_was_recorded(now, name):
    """Bit for bit for int8; but for rounding for float models."""
    recorded, made = (json.loads((folder / f"{name}.json").read_text()) for folder in (GOLDEN, now))

    assert list(differences(recorded, made, 0.0 if name.endswith("int8") else RELATIVE)) == []


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ahead")])
def test_every_recorded_snapshot_goes_on_bit_for_bit(name):
    record = json.loads((GOLDEN / f"{name}.json").read_text())
    restored = [item for key in ("detector", "adapting") if key in record for item in record[key]["restored"].values()]

    assert len(restored) >= 6
    assert all(item["identical"] for item in restored)


def test_the_record_holds_every_kind_of_event_and_every_trouble_of_a_sample():
    text = "".join((GOLDEN / f"{name}.json").read_text() for name in NAMES)
    faults = [f'["sensor_fault","{reason}","{state}"' for reason in ("missing", "stuck", "rate")
              for state in ("open", "closed")]  # fmt: skip
    others = [
        '["anomaly","","open"',
        '["anomaly","","closed"',
        '["drift","scores","open"',
        '["drift","scores","closed"',
    ]
    states = [f'"{status}":' for status in ("ok", "warmup", "held", "missing", "duplicate", "late", "early")]

    assert [part for part in faults + others + states if part not in text] == []


def test_a_difference_is_found_and_named():
    recorded = {"a": [1.0, {"b": "x"}], "c": 2}

    assert list(differences(recorded, {"a": [1.0 + 1e-9, {"b": "x"}], "c": 2}, 1e-6)) == []
    assert list(differences(recorded, {"a": [1.0 + 1e-9, {"b": "y"}], "c": 2}, 0.0)) == [
        "/a/0: 1.0 became 1.000000001",
        "/a/1/b: 'x' became 'y'",
    ]
