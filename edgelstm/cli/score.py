"""`edgelstm score`: score a file."""

from pathlib import Path
from typing import TextIO

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.page_options import plot_option
from edgelstm.cli.streams import columns_options, quiet_pipe


@click.command("score", epilog=examples("edgelstm score pump.int8.tflite pump.csv -o scores.csv --plot alarms.html"))
@click.argument("model", type=click.Path(path_type=Path, readable=False))
@click.argument("data", type=click.Path(path_type=Path, readable=False, allow_dash=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="CSV to write; standard output if left out.")
@plot_option
@columns_options
@json_option("With -o: print the counts as JSON.")
@quiet_pipe
def command(
    model: Path,
    data: Path,
    output: Path | None,
    plot: Path | None,
    language: str,
    timezone: str,
    columns: str | None,
    time_column: str | None,
    missing: tuple[str, ...],
    channels: str | None,
    as_json: bool,
) -> None:
    """Score DATA with MODEL, one row per input row, in the input's order.

    Columns: time (or row, where the data have no times), score, anomaly (1 where the score is above the threshold and its
    judges agree). Rows that could not be scored (warm-up, dropped rows) have an empty score.
    """
    import json
    import signal
    import sys

    from edgelstm.cli.alarm_list import Told
    from edgelstm.cli.streams import parse_columns
    from edgelstm.runtime import Detector
    from edgelstm.runtime.alarms.narrator import Narrator
    from edgelstm.runtime.errors import SeriesError
    from edgelstm.runtime.io.atomic_files import check_writable, replacing
    from edgelstm.runtime.model_file.trial import load_tried_bundle
    from edgelstm.runtime.read_ahead import ahead_of
    from edgelstm.runtime.service.runner import Runner
    from edgelstm.runtime.service.status import Status
    from edgelstm.runtime.sinks import Sink
    from edgelstm.runtime.sinks.score_csv import ScoreTable
    from edgelstm.runtime.sources import open_file

    if as_json and output is None:
        raise click.UsageError("--json prints counts where the scores stand now. Name a file for them with -o.")
    for file in filter(None, (output, plot)):
        check_writable(file, model, data, channels)
    narrator = Narrator.of(language, timezone)
    detector = Detector.from_bundle(load_tried_bundle(model))
    columns_of = parse_columns(detector.metadata, columns, time_column, missing, channels)
    source = ahead_of(open_file(data, columns_of), data, detector)

    told = Told(narrator, detector.metadata.period)
    sinks: list[Sink] = [told]
    if plot:
        from edgelstm.alarm_page.recorder import Recorder
        from edgelstm.alarm_page.write import write_alarm_page

        sinks.append(recorder := Recorder(detector, narrator))

    def score(stream: TextIO) -> Status:
        runner = Runner(detector, source, [ScoreTable(stream), *sinks])
        runner.run()
        if runner.warning and not runner.status.scored:
            raise SeriesError(runner.warning)
        if runner.warning:
            click.echo(f"Warning: {runner.warning}", err=True)
        elif untimed := runner.status.statuses["time"]:
            click.echo(f"Warning: {untimed:,} rows without a time were dropped.", err=True)
        if plot:
            write_alarm_page(plot, recorder, model.name, data.name)
            click.echo(f"Alarms over time: {plot}", err=True)
        return runner.status

    if output is None:
        score(sys.stdout)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no half output stays behind
    with replacing(output) as beside, beside.open("w", encoding="utf-8", newline="") as stream:
        done = score(stream)
    if as_json:
        counts = {"rows": done.samples, "scored": done.scored, "anomalies": done.anomalies}
        click.echo(json.dumps({"file": str(output), **counts, "events": [event.record() for event in told.events]}))
        return
    click.echo(f"{output}: {done.samples} rows, {done.scored} scored, {done.anomalies} anomalous.", err=True)
    for line in told.lines():
        click.echo(line, err=True)
