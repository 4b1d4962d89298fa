"""Fixtures of all tests; this folder is on the path, so that `forms` can be imported."""

import os
import tempfile

import pytest

# notes of models that have passed their trial, for all tests of a run and for nobody else
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="edgelstm-state-")

# files that take longest in one piece: they are begun first, so that no core waits for them at the end
LONGEST = [
    "test_notebooks",
    "test_docs",
    "test_fleet_steps",
    "test_report_kinds",
    "test_trained_zoo",
    "test_real_series",
    "test_shrink",
    "test_search",
    "test_zoo",
    "test_sklearn_checks",
    "test_recurrent",
    "test_weight_rounding",
    "test_report",
    "test_streaming_pipeline",
    "test_update_docs",
    "test_update_end_to_end",
    "test_golden",
    "test_state",
    "test_run",
    "test_drift",
    "test_model_reload",
    "test_opcua",
    "test_update_store",
]


def pytest_collection_modifyitems(items):
    """Put the longest files first; `--dist loadfile --no-loadscope-reorder` hands files out in this order."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Fail a skipped test on the public series where these have to be there (EDGELSTM_DATA_REQUIRED)."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and item.get_closest_marker("data") and os.environ.get("EDGELSTM_DATA_REQUIRED"):
        report.outcome = "failed"
        report.longrepr = f"skipped although EDGELSTM_DATA_REQUIRED is set: {report.longrepr}"
    return report
