"""Warnings about the rows that a forecast is made from: what was left out, what is old, what lies far outside of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..input.readings import near_training
from .forecaster import Forecaster
from .record import stamp
from .time_grid import Recent


def recent_notes(forecaster: Forecaster, recent: Recent, written: Callable[[float], str] | None = None) -> list[str]:
    """Sentences about rows that a forecast cannot be trusted for; none where all is well.

    Args:
        forecaster: The forecaster.
        recent: The rows that it is given, with which it can make a forecast.
        written: Writes a time; None for UTC, or the row number.
    """
    written = written or (lambda time: stamp(time, recent.dated))
    return [*_dropped(recent), *_stale(forecaster, recent, written), *_far(forecaster, recent)]


def _dropped(recent: Recent) -> Iterator[str]:
    if recent.doubled:
        yield f"{recent.doubled:,} rows had a time that was there already and were dropped."
    if recent.untimed:
        yield f"{recent.untimed:,} rows without a time were dropped."


def _stale(forecaster: Forecaster, recent: Recent, written: Callable[[float], str]) -> Iterator[str]:
    """Rows after the origin that are not there to tell covariates alone."""
    origin, features = forecaster.origin(recent.values), forecaster.features
    later = recent.values[origin:]
    others = np.delete(later, range(features.targets, features.targets + features.known), axis=1)
    measured = np.flatnonzero(np.isfinite(others).any(axis=1)) if features.known else np.arange(len(later))
    if not len(measured):
        return
    count = int(measured[-1]) + 1
    late = later[:count]
    names = ", ".join(name for at, name in enumerate(forecaster.targets) if np.isnan(late[:, at]).any())
    rows = "row has" if count == 1 else f"{count:,} rows have"
    yield f"the last {rows} no {names}: the forecast is from {written(float(recent.times[origin]))} on."


def _far(forecaster: Forecaster, recent: Recent) -> Iterator[str]:
    """Channels of the look-back whose values a stream would count as `far`."""
    metadata, features = forecaster.metadata, forecaster.features
    assert metadata.scaler is not None
    origin = forecaster.origin(recent.values)
    begin, known = origin - metadata.window, range(features.targets, features.targets + features.known)
    limits = near_training(metadata.channels, metadata.scaler)
    for at, (channel, (low, high)) in enumerate(zip(metadata.channels, limits, strict=True)):
        end = origin + metadata.horizon if at in known else origin
        values = recent.values[begin:end, at]
        beyond = values[(values < low) | (values > high)]
        if len(beyond):
            yield (
                f"{len(beyond):,} of the {len(values):,} values of {channel.name} that the forecast is made from lie far "
                f"outside of training ({channel.train_low:.6g} to {channel.train_high:.6g}), such as {beyond[-1]:g}: "
                "do not trust it."
            )
