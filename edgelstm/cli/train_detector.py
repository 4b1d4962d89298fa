"""`edgelstm train`, `edgelstm train detector`: from CSV files to a detector of anomalies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgelstm.runtime.model_file.detection_limits import SECTION, limit_table

from .candidate_table import candidate_lines
from .lazy_group import examples
from .reading_options import reading_of, reading_options
from .registered import RuleText, ScoreName
from .streams import RULE_HELP
from .train_common import (
    calendar_options,
    check_paths,
    counts,
    data_argument,
    names,
    output_options,
    pairs,
    print_result,
    print_rows,
    refuse_overruled,
    rows_auto_or_best,
    warn_of_lost_rows,
)

DESIGNED = ("kind", "lookback", "units", "score")  # options that a design of a search stands for

if TYPE_CHECKING:
    from edgelstm import AnomalyDetector
    from edgelstm.training.candidates import Candidates
    from edgelstm.training.options import Options
    from edgelstm.training.trained import Trained


class DetectorKind(click.Choice[str]):
    """Kinds of detectors; for a classifier, the error names the commands that train one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Look a kind up.

        Args:
            value: The kind.
            param: The option, for the error.
            ctx: Its command, for the error.
        """
        if value == "classifier":
            self.fail("a classifier is trained by `edgelstm train intents` (texts) or `edgelstm train states` (rows)")
        return super().convert(value, param, ctx)


@click.command(
    "detector",
    epilog=examples(
        "edgelstm train pump.csv -o pump.keras --columns flow,pressure --units 32,16",
        "edgelstm train pump.csv -o pump.keras --kind autoencoder --lookback 60",
        "edgelstm train pump.csv -o pump.keras --kind linear",
        "edgelstm train pump.csv -o pump.keras --lookback best",
        "edgelstm train load.csv -o load.keras --calendar --timezone Europe/Berlin",
    ),
)
@data_argument()
@output_options
@click.option(
    "--kind", type=DetectorKind(["forecaster", "autoencoder", "linear"]), default="forecaster", show_default=True
)
@click.option(
    "--from",
    "study",
    metavar="STUDY[:TRIAL]",
    help="Take kind, units, shrinking, look-back and score of an `edgelstm search`: its best trial, or one.",
)
@click.option("--columns", metavar="A,B", help="Channels to take; all number columns but labels if left out.")
@click.option(
    "--unit",
    "units_of",
    multiple=True,
    metavar="CHANNEL=UNIT",
    callback=pairs,
    help="Unit of a channel, for sentences about alarms; read from cells and headers if left out.",
)
@click.option("--label-column", metavar="NAME", help="Never an input; rows labelled as anomalous are left out.")
@reading_options
@calendar_options("Hour and weekday are inputs, for forecasters: finds what is a fault on Sundays alone.")
@click.option(
    "--lookback",
    default="auto",
    show_default=True,
    callback=rows_auto_or_best,
    help="Rows a window: a number, auto (autocorrelation), or best: train with half, once and twice that, and take the one "
    "that finds most injected faults.",
)
@click.option(
    "--horizon", default=1, show_default=True, type=click.IntRange(1, 1000), help="Rows that a forecaster predicts."
)
@click.option(
    "--streaming", is_flag=True, help="Learn on long stretches, for `convert --streaming` (LSTM forecasters)."
)
@click.option("--units", default="24", show_default=True, callback=counts, help="Units of the stacked layers.")
@click.option("--cell", type=click.Choice(["lstm", "gru"]), default="lstm", show_default=True)
@click.option("--bidirectional", is_flag=True, help="Read windows in both directions (autoencoders).")
@click.option("--attention", is_flag=True, help="Attention over the encoder's sequence.")
@click.option("--dropout", default=0.0, show_default=True, type=click.FloatRange(0, 1, max_open=True))
@click.option("--initializer", type=click.Choice(["glorot", "he", "orthogonal"]), default="glorot", show_default=True)
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(1), help="At most; stops early.")
@click.option(
    "--patience", default=8, show_default=True, type=click.IntRange(1), help="Epochs without progress before it stops."
)
@click.option("--batch-size", type=click.IntRange(1), help="Windows a step.  [default: by the amount of data]")
@click.option("--learning-rate", default=3e-3, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--clipnorm", type=click.FloatRange(0, min_open=True), help="Largest norm of a gradient.  [default: 1]")
@click.option("--clipvalue", type=click.FloatRange(0, min_open=True), help="Largest element of a gradient.")
@click.option("--minimum", type=click.IntRange(1), help="Rows above the threshold before an alarm opens.  [default: 2]")
@click.option("--cooldown", type=click.IntRange(1), help="Quiet rows before an alarm is over.  [default: 10]")
@click.option("--keep-all", is_flag=True, help="Also train on rows that look unlike all others.")
@click.option(
    "--score",
    type=ScoreName(),
    help="From errors to a score.  [default: witnesses for forecasters, mean for autoencoders]",
)
@click.option(
    "--smoothing",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Weight of the newest score in an average (not for ewma).",
)
@click.option("--threshold-rule", type=RuleText(), help=f"{RULE_HELP}  [default: by the score]")
def command(
    data: tuple[Path, ...],
    output: Path,
    study: str | None,
    columns: str | None,
    units_of: dict[str, str],
    label_column: str | None,
    no_embed: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a detector of anomalies on rows of normal operation.

    DATA is one or more CSV files: any separator, with or without header and time column. Repairs are counted and
    printed. Rows that look unlike all others are left out, counted and printed too: training data is rarely clean.
    The newest 15 % of the rows decide when training stops.

    A forecaster holds two forecasts of the next row, a linear and a recurrent one, and is told by the errors of both. What
    each finds of faults injected into normal rows is shown. Where the recurrent one errs more on the newest 15 %, or adds
    nothing, that is said, and `--kind linear` writes the linear one alone.
    """
    from edgelstm.cli.progress import epochs

    check_paths(data, output, options["channels"], study)
    reading = reading_of(options, names(columns), label_column)
    detector = detector_of(
        columns=reading.columns or None, time_column=reading.time_column, channel_units=units_of or None, **options
    )
    settings, halvings, scheme = detector.options(), 0, "int8"
    if study is not None:
        refuse_overruled(DESIGNED, study)
        settings, halvings, scheme = _designed(settings, study)
    series = reading.normal_rows(data)
    print_rows(series)
    with epochs(settings.epochs) as callbacks:
        detector.fit(series, options=settings, callbacks=callbacks, tell=lambda line: click.echo(line, err=True))
    trained = _halved(detector.trained_, halvings)
    trained.save(output, embed=not no_embed)
    warn_of_lost_rows(series)
    conversion = "--int8" if scheme == "int8" else f"--scheme {scheme}"
    conversion += " --streaming" if settings.architecture.streaming else ""
    compared = _compared(trained)
    if not as_json:
        _print_tables(trained, compared)
    facts = {**_record(trained), "candidates": asdict(compared) if compared else None}
    print_result(trained, output, as_json, _sentence, facts, conversion)


def _halved(trained: Trained, times: int) -> Trained:
    """The model, shrunk as the design of a search says."""
    if not times:
        return trained
    from edgelstm.shrinking.halving import halved

    click.echo(f"shrinking it to 1/{2**times} of its units", err=True)
    return halved(trained, times)


def _designed(settings: Options, study: str) -> tuple[Options, int, str]:
    """Settings with the design of a search, how often the trained model is halved, and the scheme that it was judged in."""
    from edgelstm.search.frontier import chosen
    from edgelstm.search.study import open_study

    address, _, number = study.rpartition(":")
    if not (address and number.isdecimal()):
        address, number = study, ""
    if "://" not in address and not Path(address).is_file():
        raise click.UsageError(f"There is no study {address}. Make one: edgelstm search.")
    point = chosen(open_study(address), int(number) if number else None)
    click.echo(f"trial {point.number}: {point.design}, VUS-PR {point.quality:.3f}", err=True)
    return point.design.options(settings), point.design.halvings, point.design.scheme


def _compared(trained: Trained) -> Candidates | None:
    """Compare the model's forecasts; its file does not keep that, and is the one that a fleet makes of the same rows."""
    from edgelstm.training.candidates import compare_candidates
    from edgelstm.training.shared_trace import shared_predictor

    rows = trained.representative
    assert rows is not None  # a training always has them
    return compare_candidates(shared_predictor(trained.model), trained.metadata, rows.normal)


def _print_tables(trained: Trained, compared: Candidates | None) -> None:
    for line in candidate_lines(compared):
        click.echo(line)
    limits = limit_table(trained.metadata.sections.get(SECTION), trained.metadata.period)
    for line in limits.lines() if limits else ():
        click.echo(line)


def detector_of(*, lookback: int | str | None, score: str | None, seed: int, **options: Any) -> AnomalyDetector:
    """The detector that the command line asks for.

    Args:
        lookback: Rows a window; None for a choice.
        score: Name of the score; None for the default.
        seed: Of weights and shuffling.
        **options: Further parameters of `AnomalyDetector` by their names.
    """
    from edgelstm import AnomalyDetector

    return AnomalyDetector(
        lookback="auto" if lookback is None else lookback, score_rule=score, random_state=seed, **options
    )


def _record(trained: Trained) -> dict[str, Any]:
    from edgelstm.plain_words import sentences

    metadata = trained.metadata
    training = metadata.sections["training"]
    assert metadata.threshold is not None
    return {
        "lookback": metadata.window, "lookback_rule": training["lookback"]["rule"],
        "batch_size": training["batch"]["size"], "batch_rule": training["batch"]["rule"],
        "validation_loss": min(trained.history["val_loss"]), "threshold": metadata.threshold.value,
        "contamination": training["contamination"], "witnesses": training["witnesses"],
        "detection_limits": metadata.sections.get(SECTION), "sentences": sentences(metadata),
    }  # fmt: skip


def _sentence(record: dict[str, Any]) -> str:
    return (
        f"{record['kind']}, look-back {record['lookback']} ({record['lookback_rule']}), "
        f"{record['parameters']} parameters, validation loss {record['validation_loss']:.4f} after "
        f"{record['epochs']} epochs of batches of {record['batch_size']} ({record['batch_rule']})"
    )
