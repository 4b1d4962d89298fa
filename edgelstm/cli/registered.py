"""Option types whose values are listed by a registry of the runtime, imported when they are shown or checked."""

from __future__ import annotations

from typing import Any

import click


class ScoreName(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click alone
    """Name of a score in `edgelstm.runtime.scoring.registry`."""

    name = "score"

    def get_metavar(self, param: click.Parameter | None = None, ctx: click.Context | None = None) -> str:
        """Return the names for the help text.

        Args:
            param: The option.
            ctx: Its command.
        """
        from edgelstm.runtime.scoring.registry import SCORES

        return f"[{'|'.join(SCORES)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a name that the registry does not know.

        Args:
            value: The name.
            param: The option, for the error.
            ctx: Its command, for the error.
        """
        from edgelstm.runtime.errors import ConfigError
        from edgelstm.runtime.scoring.registry import score_class

        try:
            score_class(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)
        return str(value)


class RuleText(click.ParamType):  # type: ignore[type-arg]
    """Threshold rule as text, `NAME` or `NAME:NUMBER`; the command reads it.

    Args:
        labelled: Whether rules that need labelled rows are listed, too.
    """

    name = "rule"

    def __init__(self, labelled: bool = False) -> None:
        self.labelled = labelled

    def get_metavar(self, param: click.Parameter | None = None, ctx: click.Context | None = None) -> str:
        """Return the names for the help text.

        Args:
            param: The option.
            ctx: Its command.
        """
        from edgelstm.runtime.scoring.threshold_rules import RULES

        names = [name for name, rule in RULES.items() if self.labelled or not rule.labelled]
        return f"[{'|'.join(names)}][:NUMBER]"
