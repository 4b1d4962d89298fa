"""`edgelstm calibrate`: a new threshold on the device."""

import click

from edgelstm.cli.lazy_group import examples
from edgelstm.cli.registered import RuleText
from edgelstm.cli.streams import RULE_HELP, columns_options, parse_columns


@click.command("calibrate", epilog=examples("edgelstm calibrate pump.int8.tflite last-week.csv"))
@click.argument("model", type=click.Path())
@click.argument("recent", required=False, metavar="[RECENT.csv]", type=click.Path())
@click.option(
    "--threshold-rule", "rule", type=RuleText(labelled=True), help=f"{RULE_HELP} A rule by labels needs --label-column."
)
@click.option(
    "--label-column",
    help="Column of labels: rows with another value than 0 are anomalous. They are left out, or compared by the rule fbeta.",
)
@click.option("--rollback", is_flag=True, help="Put the threshold before the last calibration in force again.")
@click.option("--force", is_flag=True, help="Take a threshold far from the old one, too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@columns_options
def command(
    model: str,
    recent: str | None,
    rule: str | None,
    label_column: str | None,
    rollback: bool,
    force: bool,
    as_json: bool,
    columns: str | None,
    time_column: str | None,
    missing: tuple[str, ...],
) -> None:
    """Set MODEL's alarm threshold from RECENT rows of normal operation, or from labelled ones; needs no TensorFlow.

    The file is replaced whole and keeps the old threshold; a running `edgelstm run` takes it over.
    """
    import json
    from dataclasses import replace

    from edgelstm.runtime.model_file.trial import load_tried_bundle
    from edgelstm.runtime.recalibration import recalibrate, roll_back
    from edgelstm.runtime.scoring.threshold_rules import parse_rule
    from edgelstm.runtime.sources import open_file

    if rollback == (recent is not None):
        raise click.UsageError("Name either RECENT.csv or --rollback.")
    if recent is None:
        done = roll_back(model)
    else:
        chosen = parse_columns(load_tried_bundle(model).metadata, columns, time_column, missing)
        labels = None
        if label_column:
            marks = open_file(recent, replace(chosen, channels=(label_column,), taken=()))
            labels = (mark.values[0] > 0 for mark in marks)
        done = recalibrate(model, open_file(recent, chosen), force, parse_rule(rule) if rule else None, labels)
    if as_json:
        click.echo(json.dumps(done.record(), indent=2))
        return
    click.echo(f"{model}: threshold {done.before:.4g} → {done.after:.4g}")
    if done.scores:
        click.echo(
            f"set on {done.scores} scores: {done.alarms_before} above the old one, {done.alarms_after} above the new one"
        )
        if done.left_out:
            click.echo(f"{done.left_out} scores of rows labelled as anomalous were left out")
        click.echo(f"back to the old one: edgelstm calibrate {model} --rollback")
