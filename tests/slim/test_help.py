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
    ("path", "command"), list(commands()), ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
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


PLAIN = {"run": "prints JSON lines as it is", "service": "prints a unit", "completion": "prints a script"}


@pytest.mark.parametrize(
    ("path", "command"), list(commands()), ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
)
def test_every_command_that_prints_a_result_prints_it_as_json_for_programs(path, command):
    options = {name for parameter in command.params for name in parameter.opts}
    group = isinstance(command, click.Group) and not command.invoke_without_command

    assert ("--json" in options) != (group or path[1:2][0] in PLAIN if len(path) > 1 else True)
