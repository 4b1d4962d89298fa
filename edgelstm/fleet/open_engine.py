"""Choice of the engine: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from edgelstm.runtime.errors import ConfigError

from .engine import Engine


def open_engine(scheduler: str | None, workers: int | None = None) -> Engine:
    """Open the engine that the user asks for.

    Args:
        scheduler: Address of a Dask scheduler; None for processes of this machine.
        workers: Processes of this machine; None for as many as processors and memory allow.

    Raises:
        ConfigError: If the scheduler cannot be reached.
    """
    if scheduler is None:
        from .local_engine import LocalEngine  # each is loaded where it is used

        return LocalEngine(workers)
    if workers is not None:
        raise ConfigError(
            "--workers is for processes of this machine; a cluster has its own. Leave one of the two out."
        )
    from .dask_engine import DaskEngine

    return DaskEngine(scheduler)
