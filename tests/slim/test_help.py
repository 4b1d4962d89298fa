"""Every command explains itself: a summary, its options, and examples on lines of their own."""

import click
import pytest

from edgelstm.cli import COMMANDS, group


def commands(command=group, path=("edgelstm",)):
    """Every command below a group, with its words."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*path, name))
    yield path, command


@pytest.mark.parametrize(
    ("path", "command"), commands(), ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
)
def test_every_command_shows_examples_on_lines_of_their_own(path, command):
    text = command.get_help(click.Context(command, info_name=path[-1], terminal_width=100))
    lines = [line.strip() for line in text.splitlines()]
    title = next((line for line in lines if line in ("Example:", "Examples:")), None)

    assert title, text
    examples = lines[lines.index(title) + 1 :]
    assert examples
    assert all(line.startswith("edgelstm ") for line in examples)
    assert any(line.startswith(" ".join(path[:2])) for line in examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_summary_of_one_line(name):
    assert COMMANDS[name].endswith(".")
    assert len(COMMANDS[name]) < 80
