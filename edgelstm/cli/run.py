"""`edgelstm run`: watch a stream."""

from __future__ import annotations

from pathlib import Path

import click

from edgelstm.cli.streams import columns_options, quiet_pipe


@click.command(
    "run",
    epilog="Example: tail -n +1 -F pump.csv | edgelstm run pump.int8.tflite - >> events.jsonl",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("source", default="-")
@click.option("--scores", is_flag=True, help="One JSON line per sample instead of one per event.")
@columns_options
@quiet_pipe
def command(model: Path, source: str, scores: bool, columns: str | None, time_column: str | None) -> None:
    """Watch SOURCE with MODEL and print one JSON line per event.

    SOURCE is a file (CSV or JSON lines, also gzipped) or - for standard input. An event is printed when it opens and
    again when it closes. SIGTERM and Ctrl-C end the run cleanly: open events are closed.
    """
    import sys

    from edgelstm.cli.streams import parse_columns
    from edgelstm.runtime import Detector
    from edgelstm.runtime.runner import Runner, stopping
    from edgelstm.runtime.sinks import EventLines, ScoreLines, Sink
    from edgelstm.runtime.sources import open_source

    detector = Detector.load(model)
    names = detector.metadata.names
    sink: Sink = ScoreLines(sys.stdout, names) if scores else EventLines(sys.stdout)
    runner = Runner(detector, open_source(source, parse_columns(names, columns, time_column)), [sink])
    with stopping(runner):
        runner.run()
    click.echo(f"{runner.samples} samples, {runner.scored} scored, {runner.events} events.", err=True)
