"""Every option of `edgelstm train` reaches the trainer."""

import click
import pytest

from edgelstm.cli.report import command as report
from edgelstm.cli.train_detector import command, detector_of


def parsed(*flags):
    """The trainer's options for flags of the command line."""
    others = {"data", "output", "study", "columns", "time_column", "missing", "units_of", "counters", "label_column"}
    others |= {"channels", "grid", "no_embed", "as_json"}
    context = command.make_context("train", ["data.csv", "-o", "m.keras", *flags])
    return detector_of(**{name: value for name, value in context.params.items() if name not in others}).options()


@pytest.mark.parametrize(
    ("flags", "path", "value"),
    [
        ([], "architecture.kind", "forecaster"),
        (["--kind", "autoencoder"], "architecture.kind", "autoencoder"),
        (["--cell", "gru"], "architecture.cell", "gru"),
        (["--units", "32,16"], "architecture.units", (32, 16)),
        (["--kind", "autoencoder", "--bidirectional"], "architecture.bidirectional", True),
        (["--attention"], "architecture.attention", True),
        (["--dropout", "0.2"], "architecture.dropout", 0.2),
        (["--initializer", "he"], "architecture.initializer", "he"),
        (["--scaler", "robust"], "scaler", "robust"),
        (["--lookback", "30"], "lookback", 30),
        (["--lookback", "auto"], "lookback", None),
        (["--horizon", "3"], "horizon", 3),
        (["--epochs", "7"], "epochs", 7),
        (["--batch-size", "8"], "batch_size", 8),
        (["--learning-rate", "0.01"], "learning_rate", 0.01),
        (["--clipnorm", "0.5"], "clipnorm", 0.5),
        (["--clipvalue", "0.5"], "clipvalue", 0.5),
        (["--clipvalue", "0.5"], "clipnorm", None),
        (["--patience", "3"], "patience", 3),
        (["--seed", "5"], "seed", 5),
        (["--score", "mahalanobis"], "score", "mahalanobis"),
        (["--smoothing", "0.3"], "smoothing", 0.3),
        (["--keep-all"], "leave_out", False),
        ([], "leave_out", True),
    ],
)
def test_every_flag_reaches_the_trainer(flags, path, value):
    found = parsed(*flags)
    for name in path.split("."):
        found = getattr(found, name)

    assert found == value


def test_a_look_back_of_no_rows_is_not_the_automatic_one():
    assert parsed("--lookback", "0").lookback == 0  # which the training refuses


def test_a_seed_is_one_that_numpy_takes():
    with pytest.raises(click.BadParameter, match="4294967295"):
        parsed("--seed", "5000000000")


def test_schemes_of_a_report_are_names():
    with pytest.raises(click.BadParameter, match="received ','"):
        report.make_context("report", ["pump.keras", "--schemes", ","])


def test_a_look_back_that_is_no_number_is_wrong_usage():
    with pytest.raises(click.BadParameter, match="'long' is not a count"):
        parsed("--lookback", "long")
