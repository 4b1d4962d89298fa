"""Streaming conversions: whole sequences in, a model of one row with its state out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.converters import Conversion
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.metadata import Metadata

from .representative_data import Source

Array = npt.NDArray[Any]
SECTION = "streaming"  # of the metadata: the warm-up in samples, and the window that the model would eat otherwise
LONGEST_WARMUP = 256  # samples, for a model with an open time axis


def streamed(source: Source) -> Source:
    """The same model and rows as sequences for a streaming form, instead of windows.

    Raises:
        ConversionError: If the model is no forecaster, or its representative data are windows.
    """
    metadata, representative = source.metadata, source.representative
    if metadata.kind not in ("forecaster", "generic"):
        raise ConversionError(
            f"{source.path.name} is a model of kind {metadata.kind}, which judges a window as a whole and stays windowed. "
            "Streaming is for forecasters: edgelstm train --streaming DATA.csv."
        )
    if FORECAST in metadata.sections:
        raise ConversionError(
            f"{source.path.name} forecasts given columns from a window of their past, and stays windowed. "
            "Streaming is for forecasters that watch sensors: edgelstm train --streaming DATA.csv."
        )
    if representative is None:
        raise ConversionError(
            "A streaming model's ranges are chosen on whole sequences, not on windows. "
            "Give rows of normal operation in time order with --calibration FILE.csv."
        )
    windows, starts = _rows(representative.segments)
    held, _ = _rows([max(representative.held, key=len)])
    return replace(
        source, metadata=metadata.with_(
            window=1, stateful=True, sections={**metadata.sections, SECTION: {"window": metadata.window}}
        ),
        windows=(windows,), held=(held,), starts=starts,
    )  # fmt: skip


def _rows(segments: Sequence[Array]) -> tuple[Array, tuple[int, ...]]:
    """Segments as single rows (N, 1, F), and the rows at which a segment begins."""
    starts = np.cumsum([0, *map(len, segments)])[:-1]
    return np.concatenate(segments).astype(np.float32)[:, None, :], tuple(map(int, starts))


def described(metadata: Metadata, conversion: Conversion) -> Metadata:
    """Metadata of a streaming model with its warm-up, and what its output turned out to be.

    Args:
        metadata: Metadata of the windowed model.
        conversion: The converted one-row form.
    """
    output = TFLiteModel(conversion.flatbuffer).outputs[0].shape
    forecasts = len(output) in (2, 3) and output[-1] == len(metadata.channels)
    rows = output[1] if len(output) == 3 else 1
    streaming = {**metadata.sections[SECTION], "warmup": conversion.validation.warmup}
    return metadata.with_(
        kind=metadata.kind if forecasts else "generic",
        horizon=int(rows) if forecasts else 0,
        sections={**metadata.sections, SECTION: streaming},
    )
