"""Check before any work that what a configuration writes is none of what it reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..io.access import Access
from ..io.addresses import Address, parse_address
from ..io.atomic_files import check_apart
from ..sinks import SinkKind, sink_kind
from ..sources import SourceKind, source_kind
from .config import Config, StreamConfig


def check_own_files(config: Config) -> None:
    """Refuse outputs that are inputs of any stream, and state files that are none.

    Raises:
        ConfigError: If a state file is another file that is there, or a source or sink is of an unknown kind.
        OutputError: If an output is an input.
    """
    inputs = list(_inputs(config))
    for stream in config.streams:
        for output in outputs(stream):
            check_apart(output, *inputs)
        if stream.state:
            from .state_file import check_state  # loaded where it is used: a plain run starts the sooner

            check_state(Path(stream.state))


def outputs(stream: StreamConfig) -> list[str]:
    """Files that a stream writes: those of its sinks, its state and its event log."""
    addresses = [parse_address(sink) for sink in (*stream.to, *stream.scores_to)]
    files = [address.target for address in addresses if sink_kind(address).access is Access.FOLDER]
    return [*files, *filter(None, (stream.state, stream.event_log))]


def _inputs(config: Config) -> Iterator[str]:
    """Files that are read; some are not there, and some only look like files."""
    yield from (config.path, config.settings.token_file)
    for stream in config.streams:
        yield stream.model
        if isinstance(stream.channels, str):
            yield stream.channels
        source = parse_address(stream.source)
        if (kind := source_kind(source)).access is Access.FILE:
            yield source.target
        yield from _named(source, kind)
        for sink in map(parse_address, (*stream.to, *stream.scores_to)):
            yield from _named(sink, sink_kind(sink))


def _named(address: Address, kind: SourceKind | SinkKind) -> Iterator[str]:
    """Files that an address's options name."""
    return (str(address.options[name]) for name in (*kind.secrets, *kind.files) if address.options.get(name))
