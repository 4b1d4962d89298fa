"""`edgelstm train`: from CSV files to a model."""

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.registered import RuleText, ScoreName
from edgelstm.cli.streams import RULE_HELP
from edgelstm.cli.trained import report, tell_rows


@click.command(
    "train",
    epilog="Example: edgelstm train pump.csv -o pump.keras --columns flow,pressure --units 32,16    "
    "or a forecaster: edgelstm train load.csv -o load.keras --kind forecaster --horizon 48 --target demand --calendar    "
    "or a classifier: edgelstm train states.csv -o states.keras --kind classifier --label-column state",
)
@click.argument("data", nargs=-1, type=click.Path(path_type=Path, readable=False), metavar="DATA.csv...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Model file to write, .keras.")
@click.option(
    "--kind", type=click.Choice(["forecaster", "autoencoder", "classifier"]), default="forecaster", show_default=True
)
@click.option(
    "--label-column",
    help="Never an input. Target of a classifier [default: intent, or state for rows]; "
    "else rows labelled as anomalous are left out.",
)
@click.option(
    "--text-column", help="Column with the texts of an intent classifier.  [default: text, where there is one]"
)
@click.option("--columns", help="Channels to take, comma-separated; default: all number columns but labels.")
@click.option("--time-column", help="Column with the time; default: looked for.")
@click.option(
    "--lookback", default="auto", show_default=True, help="Rows a window: a number, or auto (autocorrelation)."
)
@click.option("--horizon", default=1, show_default=True, type=click.IntRange(1, 1000), help="Rows a forecaster gives.")
@click.option("--target", help="Columns that a forecaster is for, comma-separated; then use `edgelstm forecast`.")
@click.option("--covariates", help="Columns that are known for the hours to come, too: weather forecasts, holidays.")
@click.option("--calendar", is_flag=True, help="Give a forecaster hour, weekday and season of the hours to come.")
@click.option("--timezone", metavar="NAME", help="Of the calendar, such as Europe/Berlin.  [default: times as written]")
@click.option(
    "--normalize",
    type=click.Choice(["last", "window", "none"]),
    help="Level that a forecaster's windows are relative to.  [default: last, if none is clearly better]",
)
@click.option(
    "--streaming", is_flag=True, help="Learn on long stretches, for `convert --streaming` (LSTM forecasters)."
)
@click.option("--units", default="24", show_default=True, help="Units of the stacked layers.")
@click.option("--cell", type=click.Choice(["lstm", "gru"]), default="lstm", show_default=True)
@click.option("--bidirectional", is_flag=True, help="Read windows in both directions (autoencoders).")
@click.option("--attention", is_flag=True, help="Attention over the encoder's sequence.")
@click.option("--dropout", default=0.0, show_default=True, type=click.FloatRange(0, 1, max_open=True))
@click.option("--initializer", type=click.Choice(["glorot", "he", "orthogonal"]), default="glorot", show_default=True)
@click.option(
    "--scaler", type=click.Choice(["standard", "minmax", "robust", "none"]), default="standard", show_default=True
)
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(1), help="At most; stops early.")
@click.option(
    "--patience", default=8, show_default=True, type=click.IntRange(1), help="Epochs without progress before it stops."
)
@click.option("--batch-size", type=click.IntRange(1), help="Windows a step; default: by the amount of data.")
@click.option("--learning-rate", default=3e-3, show_default=True, type=click.FloatRange(0, min_open=True))
@click.option("--clipnorm", type=click.FloatRange(0, min_open=True), help="Largest norm of a gradient.  [default: 1]")
@click.option("--clipvalue", type=click.FloatRange(0, min_open=True), help="Largest element of a gradient.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--minimum", type=click.IntRange(1), help="Rows above the threshold before an alarm opens.  [default: 2]")
@click.option("--cooldown", type=click.IntRange(1), help="Quiet rows before an alarm is over.  [default: 10]")
@click.option("--keep-all", is_flag=True, help="Also train on rows that look unlike all others.")
@click.option(
    "--score",
    type=ScoreName(),
    help="How errors become a score.  [default: ewma for forecasters, mean for autoencoders]",
)
@click.option(
    "--smoothing",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Weight of the newest score in an average (not for ewma).",
)
@click.option("--threshold-rule", type=RuleText(), help=f"{RULE_HELP}  [default: by the score]")
@click.option("--no-embed", is_flag=True, help="Keep rows out of the model file; convert then needs --calibration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(data: tuple[Path, ...], output: Path, columns: str | None, time_column: str | None, **given: Any) -> None:
    """Train a model on rows of normal operation.

    DATA is one or more CSV files: any separator, with or without header and time column. What had to be mended is
    counted and said. Rows that look unlike all others are left out, counted and said too: training data is rarely
    clean. The newest 15 % of the rows decide when training stops. A classifier learns its classes from a
    label column, of texts or of rows; without DATA it learns the intents of the data set that comes along.
    """
    from edgelstm.cli.progress import epochs
    from edgelstm.data.series import read_series, without_labelled
    from edgelstm.runtime.io.atomic_files import check_writable
    from edgelstm.training.train import train

    if output.suffix != ".keras":
        raise click.BadParameter(f"{output.name!r} does not end in .keras, as Keras wants it", param_hint="--output")
    check_writable(output)
    if given["kind"] == "classifier":
        from edgelstm.cli.classifiers import train_classifier

        train_classifier(data, output, columns, time_column, given)
        return
    if not data:
        raise click.UsageError("Missing argument 'DATA.csv...'.")
    if given["target"]:
        if given["streaming"]:
            raise click.UsageError("--streaming is for forecasters that watch sensors; leave out --target.")
        from edgelstm.cli.forecasters import train_forecaster

        train_forecaster(data, output, columns, time_column, given)
        return
    if unused := [name for name in ("covariates", "calendar", "timezone", "normalize") if given[name]]:
        raise click.UsageError(f"--{unused[0]} goes with --kind forecaster and --target COLUMN.")
    options = _options(given)
    names = [name.strip() for name in columns.split(",")] if columns else None
    series = without_labelled(read_series(data, names, time_column, given["label_column"]))
    tell_rows(series)
    with epochs(options.epochs) as callbacks:
        trained = train(series, options, callbacks, tell=lambda line: click.echo(line, err=True))
    trained.save(output, embed=not given["no_embed"])
    _report(trained, output, given["as_json"])


def _options(given: dict[str, Any]) -> Any:
    from edgelstm.training.architectures import Architecture
    from edgelstm.training.train import Options

    taken = {
        name: given[name]
        for name in ("kind", "cell", "streaming", "bidirectional", "attention", "dropout", "initializer")
    }
    architecture = Architecture(units=_counts(given["units"], "--units"), **taken)
    lookback = None if given["lookback"] == "auto" else _counts(given["lookback"], "--lookback")[0]
    decision = {name: given[name] for name in ("minimum", "cooldown") if given[name] is not None}
    names = ("horizon", "scaler", "epochs", "patience", "batch_size", "learning_rate", "seed", "score", "smoothing")
    rest = {name: given[name] for name in names}
    clipnorm = given["clipnorm"] or (None if given["clipvalue"] else 1.0)
    return Options(
        architecture, lookback, clipnorm=clipnorm, clipvalue=given["clipvalue"], decision=decision,
        threshold_rule=given["threshold_rule"], leave_out=not given["keep_all"], **rest,
    )  # fmt: skip


def _counts(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is not a count or a comma-separated list of counts", param_hint=option
        ) from error


def _report(trained: Any, output: Path, as_json: bool) -> None:
    metadata = trained.metadata
    training = metadata.sections["training"]
    more = {
        "lookback": metadata.window, "lookback_rule": training["lookback"]["rule"],
        "batch_size": training["batch"]["size"], "batch_rule": training["batch"]["rule"],
        "validation_loss": min(trained.history["val_loss"]), "threshold": metadata.threshold.value,
        "contamination": training["contamination"],
    }  # fmt: skip
    streaming = " --streaming" if training["options"]["architecture"]["streaming"] else ""

    def said(found: dict[str, Any]) -> str:
        return (
            f"{found['kind']}, look-back {found['lookback']} ({found['lookback_rule']}), {found['parameters']} parameters, "
            f"validation loss {found['validation_loss']:.4f} after {found['epochs']} epochs "
            f"of batches of {found['batch_size']} ({found['batch_rule']})"
        )

    report(trained, output, as_json, said, more, streaming)
