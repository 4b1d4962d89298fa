"""`edgelstm bench`: measure models on this machine."""

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command(epilog=examples("edgelstm bench pump.int8.tflite pump.float32.tflite --json"))
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path())
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Interpreter threads.")
@click.option(
    "--seconds", default=1.0, show_default=True, type=click.FloatRange(0.01), help="Time to spend on a model."
)
@click.option("--delegate", metavar="LIBRARY", default="", help="Accelerator's library, LIBRARY?option=value.")
@json_option()
def command(models: tuple[str, ...], threads: int, seconds: float, delegate: str, as_json: bool) -> None:
    """Measure latency, throughput, start-up and memory of .tflite models on this machine.

    A call is what a device does for each window: set the input, reset the state, invoke, get the output.
    """
    from edgelstm.runtime.diagnostics.benchmark import benchmark, dumps
    from edgelstm.runtime.inference.accelerator import Accelerator

    accelerator = Accelerator.parse(delegate) if delegate else None
    results = [benchmark(model, threads, seconds, accelerator) for model in models]
    if as_json:
        click.echo(dumps(results))
        return
    machine = results[0].machine
    click.echo(
        f"{machine.processor} ({machine.machine}, {machine.cores} cores), {machine.interpreter}, "
        f"{machine.threads} thread{'s' if machine.threads > 1 else ''}, Python {machine.python}, NumPy {machine.numpy}"
    )
    width = max(len(result.model) for result in results)
    click.echo(f"{'model':{width}}  {'KB':>7}  {'p50 us':>9}  {'p99 us':>9}  {'per s':>8}  {'start s':>7}  {'MB':>5}")
    for result in results:
        latency, start = result.latency, result.start
        click.echo(
            f"{result.model:{width}}  {result.size / 1e3:7.1f}  {latency.p50:9.1f}  {latency.p99:9.1f}  "
            f"{latency.per_second:8.0f}  {start.seconds:7.3f}  {start.resident_mb:5.1f}"
        )
