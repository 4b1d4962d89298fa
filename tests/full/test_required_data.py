"""Tests on real data must not pass by being skipped where the data have to be there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("required", "code"), [("1", 1), ("", 0)])
def test_skipped_data_tests_fail_where_the_data_are_required(required, code):
    environment = {**os.environ, "EDGELSTM_DATA": "", "EDGELSTM_DATA_REQUIRED": required}
    options = ["-c", TESTS.parent / "pyproject.toml", "--rootdir", TESTS.parent, "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, options), str(TESTS / "data")],
        capture_output=True, text=True, env=environment, cwd=sys.prefix,
    )  # fmt: skip

    assert done.returncode == code, done.stdout
    assert ("although EDGELSTM_DATA_REQUIRED is set" in done.stdout) == bool(required)
