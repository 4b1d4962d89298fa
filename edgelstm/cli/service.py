"""`edgelstm service`: write a systemd unit."""

from pathlib import Path

import click

from edgelstm.cli.lazy_group import examples


@click.command("service", epilog=examples("edgelstm service /etc/edgelstm/pump.toml -o edgelstm-pump.service"))
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Unit to write; standard output if left out.")
@click.option("--program", metavar="PATH", help="The edgelstm command on the device; this one if left out.")
@click.option(
    "--period", type=float, help="Seconds between samples, where no model file is there to say so (signed models)."
)
@click.option(
    "--template", is_flag=True, help="Write edgelstm@.service instead: edgelstm@NAME runs /etc/edgelstm/NAME.toml."
)
def command(
    config: Path | None, output: Path | None, program: str | None, period: float | None, template: bool
) -> None:
    """Write a hardened systemd unit that runs CONFIG, the TOML file of `edgelstm run --config`.

    The unit grants what the configuration needs and no more: its own user, one folder to write, the devices and the
    network its sources and sinks use. Models and sources are checked first.
    """
    import shutil
    import sys

    from edgelstm.runtime.errors import ConfigError
    from edgelstm.runtime.io.atomic_files import check_apart, write_atomic
    from edgelstm.runtime.service import systemd_unit

    if (config is None) != template:
        raise click.UsageError("Name one of CONFIG and --template.")
    executable = program or shutil.which(sys.argv[0]) or shutil.which("edgelstm")
    if not executable:
        raise ConfigError("The edgelstm command is not on the path. Name it with --program.")
    if output is not None:
        check_apart(output, config)
    executable = str(Path(executable).absolute())
    text = _unit(config, executable, period) if config else systemd_unit.template(executable)
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomic(output, text.encode())
    click.echo(f"{output}: check it with `systemd-analyze verify {output}`.", err=True)


def _unit(config: Path, program: str, period: float | None) -> str:
    """Return the unit of a configuration, with the sample intervals of its models."""
    from edgelstm.runtime.model_file.bundle import load_bundle
    from edgelstm.runtime.service.config import load_config
    from edgelstm.runtime.service.systemd_unit import unit

    loaded = load_config(config)
    periods = [load_bundle(stream.model).metadata.period for stream in loaded.streams if stream.model]
    periods.append(period)
    if period is None and not all(stream.model for stream in loaded.streams):
        click.echo("The watchdog expects a sample a minute at least; are they rarer, name --period SECONDS.", err=True)
    return unit(loaded, config.absolute(), program, periods)
