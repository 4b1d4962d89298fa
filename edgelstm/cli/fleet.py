"""`edgelstm fleet`: the devices and their models."""

import click

from edgelstm.cli.lazy_group import examples


@click.group("fleet", epilog=examples("edgelstm fleet status --mqtt mqtt://broker/plant/#"))
def command() -> None:
    """Look after many devices."""


@command.command("status", epilog=examples("edgelstm fleet status --mqtt mqtt://broker/plant/#"))
@click.option(
    "--mqtt", "broker", required=True, metavar="URL", envvar="EDGELSTM_FLEET", help="Broker and topic filter."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line per device.")
def status(broker: str, as_json: bool) -> None:
    """List what each device says of its model: version, group, hash, trial, last error.

    The reports are retained by the broker, so devices that are offline are listed, too. The exit code is 1 when a device
    reports trouble.
    """
    import json
    import sys
    from dataclasses import asdict

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
