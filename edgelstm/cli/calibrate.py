"""`edgelstm calibrate`: a new threshold on the device."""

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.registered import RuleText
from edgelstm.cli.streams import RULE_HELP, columns_options, parse_columns


@click.command(
    "calibrate",
    epilog=examples(
        "edgelstm calibrate pump.int8.tflite last-week.csv",
        "edgelstm calibrate pump.int8.tflite last-week.csv --feedback answers/pump.jsonl",
    ),
)
@click.argument("model", type=click.Path())
@click.argument("recent", required=False, metavar="[RECENT.csv]", type=click.Path())
@click.option(
    "--threshold-rule", "rule", type=RuleText(labelled=True), help=f"{RULE_HELP} A rule by labels needs --label-column."
)
@click.option(
    "--label-column",
    help="Column of labels: rows with another value than 0 are anomalous. They are left out, or compared by the rule fbeta.",
)
@click.option(
    "--feedback", metavar="FILE", help="Answers to alarms in RECENT.csv: what looks like one called false raises none."
)
@click.option("--rollback", is_flag=True, help="Put the threshold before the last calibration in force again.")
@click.option("--force", is_flag=True, help="Take a threshold far from the old one, too.")
@json_option()
@columns_options
def command(
    model: str,
    recent: str | None,
    rule: str | None,
    label_column: str | None,
    feedback: str | None,
    rollback: bool,
    force: bool,
    as_json: bool,
    columns: str | None,
    time_column: str | None,
    missing: tuple[str, ...],
    channels: str | None,
) -> None:
    """Set MODEL's alarm threshold from RECENT rows of normal operation, or from labelled ones; needs no TensorFlow.

    With --feedback RECENT holds the alarms that were answered on the live page or over MQTT: what
    looks like one called false, no larger and no longer, raises no alarm from then on. Those called real stay.

    The file is replaced whole and keeps the old threshold; a running `edgelstm run` takes it over.
    """
    import json
    from dataclasses import replace

    from edgelstm.runtime.alarms.answers import read_answers
    from edgelstm.runtime.model_file.trial import load_tried_bundle
    from edgelstm.runtime.recalibration import recalibrate, recalibrate_by_answers, roll_back
    from edgelstm.runtime.scoring.threshold_rules import parse_rule
    from edgelstm.runtime.sources import open_file
    from edgelstm.runtime.sources.line_reader import check_rereadable
    from edgelstm.runtime.sources.signals import Signals

    if rollback == (recent is not None):
        raise click.UsageError("Name either RECENT.csv or --rollback.")
    if feedback and (rule or label_column or rollback):
        raise click.UsageError(
            "--feedback leaves the threshold as it is: no --threshold-rule, --label-column or --rollback."
        )
    if recent is None:
        done = roll_back(model)
    else:
        chosen = parse_columns(load_tried_bundle(model).metadata, columns, time_column, missing, channels)
        labels = None
        answers = read_answers(feedback) if feedback else ()
        if label_column:
            check_rereadable(recent)
            marks = open_file(recent, replace(chosen, channels=(label_column,), taken=(), signals=Signals()))
            labels = (mark.values[0] > 0 for mark in marks)
        done = (
            recalibrate_by_answers(model, open_file(recent, chosen), answers)
            if feedback
            else recalibrate(model, open_file(recent, chosen), force, parse_rule(rule) if rule else None, labels)
        )
    if as_json:
        click.echo(json.dumps(done.record(), indent=2))
        return
    kinds = f"it knows {done.harmless} kind{'' if done.harmless == 1 else 's'} of harmless alarms"
    if done.feedback:
        click.echo(f"{model}: {done.feedback.sentence()}")
    else:
        click.echo(f"{model}: threshold {done.before:.4g} → {done.after:.4g}")
    if done.feedback:
        click.echo(f"{kinds}; the threshold stays at {done.after:.4g}")
    elif recent is None:
        click.echo(kinds)
    elif done.scores:
        click.echo(
            f"set on {done.scores} scores: {done.alarms_before} above the old one, {done.alarms_after} above the new one"
        )
        if done.left_out:
            click.echo(f"{done.left_out} scores of rows labelled as anomalous were left out")
    if done.scores:
        click.echo(f"take it back: edgelstm calibrate {model} --rollback")
