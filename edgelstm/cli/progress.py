"""Progress on a terminal, silence in a pipe."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Tell = Callable[[str], None]


@contextmanager
def steps(title: str) -> Iterator[Tell]:
    """A spinner with the name of the current step on stderr, while the block runs."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")


@contextmanager
def epochs(total: int | None) -> Iterator[Iterable[Any]]:
    """A bar over training epochs on stderr, and the Keras callbacks that feed it."""
    if not sys.stderr.isatty():
        yield ()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("training"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=total)

        def show(epoch: int, logs: dict[str, float]) -> None:
            validation = logs.get("val_loss", float("nan"))
            description = f"epoch {epoch + 1}, loss {logs['loss']:.4f}, validation {validation:.4f}"
            bar.update(task, completed=epoch + 1, description=description)

        yield _callbacks(show)


def _callbacks(show: Callable[[int, dict[str, float]], None]) -> Iterator[Any]:
    """A Keras callback that is made when training asks for it: Keras loads after the data have been checked."""
    from edgelstm.tensorflow import load_tensorflow

    load_tensorflow()
    import keras

    yield keras.callbacks.LambdaCallback(on_epoch_end=show)


@contextmanager
def assets(total: int, title: str) -> Iterator[Callable[[str], None]]:
    """A bar over assets on stderr with rate and time left; the function that it yields moves it on by one.

    Args:
        total: Number of assets.
        title: Name of the work.
    """
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total, rate="")

        def advance(description: str) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            shown = "" if not speed else f"{60 * speed:.1f} a minute"
            bar.update(task, advance=1, description=description, rate=shown)

        yield advance
