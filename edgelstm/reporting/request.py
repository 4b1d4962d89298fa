"""Request for a report, and the conversions that it asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelstm.converters import SCHEMES
from edgelstm.deployment.calibration_file import Wishes
from edgelstm.deployment.convert import Converted, convert_source
from edgelstm.deployment.representative_data import Source, read_source
from edgelstm.deployment.streaming import streamed
from edgelstm.keras_file import read_extras
from edgelstm.runtime.errors import ConversionError

Tell = Callable[[str], None]
EXACT = "float32"  # what other schemes are compared with, tensor by tensor


@dataclass(frozen=True)
class Request:
    """A model, the data to judge it on, and the schemes to compare."""

    model: Path
    """A `.keras` file."""
    data: Path | None = None
    """CSV to judge on; None for the model's own held-back rows."""
    schemes: tuple[str, ...] = SCHEMES
    """Schemes to convert to."""
    label_column: str | None = None
    """Its name; None looks for a common one."""
    time_column: str | None = None
    """Its name; None looks for one."""
    calibration: Path | None = None
    """Normal rows or windows for a foreign model."""
    scaler: str | None = None
    """Kind of scaler to fit on a calibration CSV."""
    scaler_from: Path | None = None
    """File with the scaler that a foreign model was trained with."""
    kind: str | None = None
    """Of a foreign model."""
    lookback: int | None = None
    """Rows for an open time axis."""
    streaming: bool = False
    """True if to convert to the form that takes one row a call; Keras stays windowed."""
    language: str = "en"
    """Language of the sentences about alarms."""
    timezone: str = ""
    """Their time zone; empty for the system's."""
    widths: tuple[Path, ...] = ()
    """Narrower `.keras` files of the same model, to be drawn beside it."""

    def source(self, model: Path) -> Source:
        """Read a model with its representative data; a narrower one of `edgelstm shrink` brings its own along.

        Args:
            model: The model of the request, or a narrower one.
        """
        if model != self.model and all(part is not None for part in read_extras(model)):
            return read_source(model)
        wishes = Wishes(self.calibration, self.scaler, self.scaler_from, self.kind, self.lookback)
        return read_source(model, wishes)

    @property
    def own(self) -> bool:
        """True if the trainer of this package wrote the model."""
        return read_extras(self.model)[0] is not None

    def convertible(self, source: Source) -> Source:
        """The form of a model that is converted."""
        return streamed(source) if self.streaming else source


def convert_all(source: Source, request: Request, tell: Tell) -> tuple[dict[str, Converted], dict[str, str]]:
    """Convert to all schemes at once; one by one where one of them cannot be made.

    Args:
        source: Model with its representative data, in the form that is converted.
        request: Names the schemes.
        tell: Called with the name of each step.

    Returns:
        Conversions by scheme, and the reason of each that was refused.
    """
    wanted = tuple(dict.fromkeys((EXACT, *request.schemes)))
    step_of: Tell = lambda step: tell(f"converting, {step}")  # noqa: E731
    # what the trainer writes has been proven to convert: no crash is feared that would be worth another start of TensorFlow
    apart = request.streaming or not request.own
    options: dict[str, Any] = {"lookback": request.lookback, "allow_drop": True, "tell": step_of, "apart": apart}
    try:
        return convert_source(source, wanted, **options), {}
    except ConversionError:
        made = convert_source(source, (EXACT,), **options)  # without it there is no other
    refused = {}
    for scheme in wanted[1:]:
        try:
            made |= convert_source(source, (scheme,), **options)
        except ConversionError as error:
            refused[scheme] = str(error)
    return made, refused
