"""`edgelstm demo`: all steps once, on the embedded pump data."""

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.train_common import SEEDS


@click.command("demo", epilog=examples("edgelstm demo -o my-first-detector"))
@click.option(
    "-o", "--output", default="edgelstm-demo", show_default=True, type=click.Path(path_type=Path), help="Folder."
)
@click.option("--seed", default=0, show_default=True, type=SEEDS)
@json_option()
def command(output: Path, seed: int, as_json: bool) -> None:
    """Train on a simulated pump, convert to int8, and stream faults through the result.

    Takes about a minute. The series are part of the package; the folder then holds every file of all steps.
    """
    import json

    from edgelstm.cli.input_files import check_folder
    from edgelstm.cli.progress import epochs, steps
    from edgelstm.tensorflow import load_tensorflow

    check_folder(output, "demo.json")
    with steps("loading TensorFlow"):
        load_tensorflow()
    from edgelstm.demo import OPTIONS, run_demo

    with epochs(OPTIONS.epochs) as callbacks:
        demo = run_demo(output, seed, callbacks)
    if as_json:
        click.echo(json.dumps(demo.record()))
    else:
        click.echo(_text(demo))


def _text(demo: Any) -> str:
    from edgelstm.cli.convert_output import summary

    folder = demo.folder
    lines = [f"The alarms over time, each with its sensors: open {folder}/alarms.html in a browser"]
    lines += ["", "What the model would find", *(f"  {sentence}" for sentence in demo.sentences), "", "Conversion"]
    lines += [*(f"  {line}" for line in summary(demo.converted, folder / "pump.int8.tflite")), ""]
    lines += [f"Accuracy drop on {demo.int8.rows} rows with {demo.faults} faults   Keras    int8"]
    for name, title in (("vus_pr", "VUS-PR"), ("event_recall", "event recall"), ("far", "rows falsely flagged")):
        lines.append(f"  {title:42} {getattr(demo.keras, name):7.3f} {getattr(demo.int8, name):7.3f}")
    lines += [f"  {'rows decided alike':42} {demo.agreement:15.2%}", "", "Alarms of the int8 model"]
    lines.append(f"  {'start':>7} {'end':>7}  {'kind':12} {'labelled fault':14} {'delay':>6}  channels")
    for alarm in demo.alarms:
        delay = "-" if alarm.delay is None else f"{alarm.delay:.0f} s"
        lines.append(
            f"  {alarm.start:5.0f} s {alarm.end:5.0f} s  {alarm.kind:12} {alarm.fault or 'FALSE ALARM':14} {delay:>6}  "
            f"{', '.join(alarm.channels)}"
        )
    false = sum(not alarm.fault for alarm in demo.alarms)
    lines += [
        f"  {demo.faults - len(demo.missed)} of {demo.faults} faults found, missed: {', '.join(demo.missed) or 'none'}; "
        f"{false} false alarm{'' if false == 1 else 's'} in {demo.int8.rows / 3600:.1f} h; "
        f"{demo.drifts} drift event{'' if demo.drifts == 1 else 's'} in events.jsonl",
        "",
        f"Files in {folder}/ ({demo.seconds:.0f} s): pump_normal.csv  pump_faults.csv  pump.keras  pump.int8.tflite",
        "  pump.float32.tflite  scores.csv  events.jsonl  alarms.html  demo.json",
        "Next",
        f"  edgelstm run {folder}/pump.int8.tflite {folder}/pump_faults.csv     what a Raspberry Pi would do",
        f"  edgelstm inspect {folder}/pump.int8.tflite",
        "  edgelstm train YOUR.csv -o yours.keras && edgelstm convert yours.keras --int8",
    ]
    return "\n".join(lines)
