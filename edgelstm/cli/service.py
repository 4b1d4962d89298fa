"""`edgelstm service`: write a systemd unit."""

from pathlib import Path

import click

from edgelstm.cli.lazy_group import examples


@click.command("service", epilog=examples("edgelstm service /etc/edgelstm/pump.toml -o edgelstm-pump.service"))
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Unit to write; standard output if left out.")
@click.option("--program", metavar="PATH", help="The edgelstm command on the device; this one if left out.")
@click.option(
    "--period", type=float, help="Seconds between samples, where no model file is there to say so (signed models)."
)
def command(config: Path, output: Path | None, program: str | None, period: float | None) -> None:
    """Write a hardened systemd unit that runs CONFIG, the TOML file of `edgelstm run --config`.

    The unit grants what the configuration needs and no more: its own user, one folder to write, the devices and the
    network its sources and sinks use. Models and sources are checked first.
    """
    import shutil
    import sys

    from edgelstm.runtime.errors import ConfigError
    from edgelstm.runtime.io.atomic_files import write_atomic
    from edgelstm.runtime.model_file.bundle import load_bundle
    from edgelstm.runtime.service.config import load_config
    from edgelstm.runtime.service.systemd_unit import unit

    loaded = load_config(config)
    executable = program or shutil.which(sys.argv[0]) or shutil.which("edgelstm")
    if not executable:
        raise ConfigError("The edgelstm command is not on the path. Name it with --program.")
    periods = [load_bundle(stream.model).metadata.period for stream in loaded.streams if stream.model]
    periods.append(period)
    if period is None and not all(stream.model for stream in loaded.streams):
        click.echo("The watchdog expects a sample a minute at least; are they rarer, name --period SECONDS.", err=True)
    text = unit(loaded, config.absolute(), str(Path(executable).absolute()), periods)
    if output is None:
        click.echo(text, nl=False)
        return
    write_atomic(output, text.encode())
    click.echo(f"{output}: check it with `systemd-analyze verify {output}`.", err=True)
