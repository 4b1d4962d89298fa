"""Help of commands over streams."""

import click


class StreamCommand(click.Command):
    """Command whose help lists the sources and sinks that are there."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text with the forms of sources and sinks.

        Args:
            ctx: The call.
            formatter: Receiver of the text.
        """
        from edgelstm.runtime.sinks import registry as sinks
        from edgelstm.runtime.sources import registry as sources

        super().format_help_text(ctx, formatter)
        for title, kinds in (("Sources", sources.SOURCES), ("Sinks", sinks.SINKS)):
            with formatter.section(title):
                formatter.write_text(", ".join(kind.example for kind in kinds))
