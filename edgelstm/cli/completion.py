"""`edgelstm completion`: completion of commands and options in a shell."""

from pathlib import Path

import click

from edgelstm.cli.lazy_group import examples

VARIABLE = "_EDGELSTM_COMPLETE"
FILES = {
    "bash": ".local/share/bash-completion/completions/edgelstm",
    "zsh": ".local/share/edgelstm/zsh/_edgelstm",
    "fish": ".config/fish/completions/edgelstm.fish",
}
"""Places in which each shell looks for completions of one user, below the home folder; zsh is told in its .zshrc."""
ZSHRC = (
    '\nfpath=("$HOME/.local/share/edgelstm/zsh" $fpath)  # completion of edgelstm\nautoload -Uz compinit && compinit\n'
)
MARK = "# completion of edgelstm"


@click.command(
    "completion", epilog=examples("edgelstm completion bash --install", "edgelstm completion zsh > _edgelstm")
)
@click.argument("shell", type=click.Choice(list(FILES)))
@click.option("--install", is_flag=True, help="Write it to where SHELL looks, for this user.")
def command(shell: str, install: bool) -> None:
    """Print the completion script of SHELL, or install it.

    With it, TAB completes commands, options and their values, and file names.
    """
    script = source(shell)
    if not install:
        click.echo(script)
        return
    for path in install_script(shell, script, Path.home()):
        click.echo(str(path), err=True)
    click.echo("Open a new shell, then: edgelstm TAB TAB", err=True)


def source(shell: str) -> str:
    """The script that a shell evaluates.

    >>> "edgelstm" in source("fish")
    True
    """
    import click.shell_completion as completion

    from edgelstm.cli import group

    maker = completion.get_completion_class(shell)
    assert maker is not None
    made = maker(group, {}, "edgelstm", VARIABLE)
    return (made.source_template % made.source_vars()).strip()


def install_script(shell: str, script: str, home: Path) -> list[Path]:
    """Write a completion script for one user; a second time changes nothing.

    Args:
        shell: bash, zsh or fish.
        script: Its script.
        home: The user's folder.

    Returns:
        The files that were written.
    """
    from edgelstm.runtime.io.atomic_files import write_atomic

    path = home / FILES[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, script.encode() + b"\n")
    profile = home / ".zshrc"
    if shell != "zsh" or (profile.is_file() and MARK in profile.read_text(encoding="utf-8")):
        return [path]
    with profile.open("a", encoding="utf-8") as stream:
        stream.write(ZSHRC)
    return [path, profile]
