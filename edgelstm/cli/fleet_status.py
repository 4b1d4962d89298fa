"""`edgelstm fleet status`: the assets of a folder, or the reports of devices."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict

import click

from .json_option import json_option
from .lazy_group import examples


@click.command(
    "status", epilog=examples("edgelstm fleet status models/", "edgelstm fleet status --mqtt mqtt://broker/plant/#")
)
@click.argument("folder", metavar="[MODELS]", required=False)
@click.option(
    "--mqtt", "broker", metavar="URL", envvar="EDGELSTM_FLEET", help="Broker and topic filter, for the devices."
)
@json_option("Print one JSON line per asset or device.")
def command(folder: str | None, broker: str | None, as_json: bool) -> None:
    """List the state of each asset in MODELS, or what each device says of its model.

    An asset is done, stale (its data, the options or the versions have changed), failed, running, or waiting. The reports of
    devices are retained by the broker, so devices that are offline are listed, too. The exit code is 1 when an asset has
    failed or a device reports trouble.
    """
    if folder is not None:
        _assets(folder, as_json)
    elif broker is not None:
        _devices(broker, as_json)
    else:
        raise click.UsageError("Name the folder MODELS, or the broker of the devices with --mqtt.")


def _assets(folder: str, as_json: bool) -> None:
    from edgelstm.fleet.places import Place
    from edgelstm.fleet.status import states
    from edgelstm.runtime.io.terminal import printable

    counts: Counter[str] = Counter()
    for state in states(Place(folder)):
        counts[state.state] += 1
        click.echo(
            json.dumps(asdict(state))
            if as_json
            else printable(f"{state.state:<8} {state.asset}  {state.reason}".rstrip())
        )
    click.echo(", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())), err=True)
    if counts["failed"]:
        sys.exit(1)


def _devices(broker: str, as_json: bool) -> None:
    from edgelstm.publishing.fleet import read_fleet
    from edgelstm.runtime.io.terminal import printable

    reports = read_fleet(broker)
    width = max((len(report.topic) for report in reports), default=0)
    for report in reports:
        if as_json:
            click.echo(json.dumps(asdict(report)))
            continue
        state = {True: "online", False: "offline", None: "unknown"}[report.online]
        trial = "trial" if report.trial else ""
        line = (
            f"{report.topic:<{width}}  {state:<7}  {report.name} {report.version}  {report.group}  {report.digest[:12]}  "
            f"{trial:<5}  {report.error}"
        )
        click.echo(printable(line.rstrip()))
    click.echo(f"{len(reports)} devices.", err=True)
    if any(report.error for report in reports):
        sys.exit(1)
