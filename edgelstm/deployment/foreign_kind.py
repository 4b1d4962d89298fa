"""Kind of a model that another program made, inferred from the shapes of its input and output."""

from dataclasses import dataclass

from edgelstm.runtime.errors import ConversionError

Shape = tuple[int | None, ...]
DETECTORS = ("autoencoder", "forecaster")
PROBABILITIES = {"softmax", "sigmoid"}


@dataclass(frozen=True)
class ForeignKind:
    """A kind with the reason for it."""

    kind: str
    """autoencoder, forecaster or generic."""
    horizon: int
    """Rows that a forecaster forecasts, else 0."""
    note: str
    """One sentence for the user."""


def infer_kind(
    inputs: list[Shape], outputs: list[Shape], activation: str = "", wanted: str | None = None
) -> ForeignKind:
    """Infer a model's kind from its shapes, or check the kind that the user names against them.

    Args:
        inputs: Shapes of the inputs without the batch axis; the one of a detector is (W, F).
        outputs: Shapes of the outputs likewise.
        activation: Name of the last layer's activation, empty when it has none.
        wanted: Kind that the user names, None to infer it.

    Raises:
        ConversionError: If the kind that is named has other shapes.

    >>> infer_kind([(24, 3)], [(24, 3)]).kind, infer_kind([(24, 3)], [(3,)]).kind, infer_kind([(24, 3)], [(5,)]).kind
    ('autoencoder', 'forecaster', 'generic')
    """
    possible = _possible(inputs, outputs)
    if wanted in DETECTORS and wanted not in possible:
        raise ConversionError(
            f"A detector of kind {wanted} {_form(inputs, wanted)}; this model takes {_listed(inputs)} and returns "
            f"{_listed(outputs)}. Leave --kind out, or use --kind generic."
        )
    if wanted is not None:
        return ForeignKind(wanted, possible.get(wanted, 0), f"kind: {wanted}, as asked for")
    shapes = f"the model takes {_listed(inputs)} and returns {_listed(outputs)}"
    kind = next(iter(possible), "generic")
    if kind == "generic" or (kind == "forecaster" and activation in PROBABILITIES):
        return ForeignKind(
            "generic", 0, f"kind: generic, no detector: {shapes}; `edgelstm run` does not take this file"
        )
    horizon = possible[kind]
    forecast = f" of {horizon} row{'s' * (horizon > 1)}" if horizon else ""
    return ForeignKind(kind, horizon, f"kind: {kind}{forecast}, because {shapes}; --kind says otherwise")


def _form(inputs: list[Shape], wanted: str) -> str:
    """Shapes of a detector, as a piece of a sentence."""
    if len(inputs) != 1 or len(inputs[0]) != 2:
        return "takes windows of one shape, (rows, channels)"
    channels = inputs[0][1]
    form = inputs[0] if wanted == "autoencoder" else f"(1, {channels}) or ({channels},)"
    return f"on {channels} channels returns {form}"


def _possible(inputs: list[Shape], outputs: list[Shape]) -> dict[str, int]:
    """Kinds of detectors that have these shapes, the likeliest first, with their horizons."""
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0]) != 2:
        return {}
    (rows, channels), output = inputs[0], outputs[0]
    if len(output) == 2 and output[1] == channels:
        forecaster = {"forecaster": int(output[0] or 1)}
        return {"autoencoder": 0, **forecaster} if output[0] == rows else forecaster
    return {"forecaster": 1} if output == (channels,) else {}


def _listed(shapes: list[Shape]) -> str:
    return ", ".join(str(shape) for shape in shapes)
