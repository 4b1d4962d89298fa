"""Fixtures of all tests; this folder is on the path, so that `forms` can be imported."""

import os
import tempfile

import pytest

# notes of models that have passed their trial, for all tests of a run and for nobody else
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="edgelstm-state-")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Fail a skipped test on the public series where these have to be there (EDGELSTM_DATA_REQUIRED)."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and item.get_closest_marker("data") and os.environ.get("EDGELSTM_DATA_REQUIRED"):
        report.outcome = "failed"
        report.longrepr = f"skipped although EDGELSTM_DATA_REQUIRED is set: {report.longrepr}"
    return report
