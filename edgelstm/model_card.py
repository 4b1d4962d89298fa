"""Model card of a model file (Mitchell et al., FAT* 2019): data, quality, limits and validation, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .evaluation.evaluate import MEANING
from .keras_file import model_parts
from .plain_words import amount, duration, sentences
from .runtime.errors import SeriesError
from .runtime.forecasting.features import SECTION as FORECAST
from .runtime.io.atomic_files import write_atomic
from .runtime.model_file.detection_limits import SECTION as LIMITS
from .runtime.model_file.metadata import CALENDAR, Metadata

NOT_FOR = (
    "Safety functions: the model was made to draw attention, not to switch a machine off.",
    "Machines other than the one it was trained on, or the same one after a rebuild: train again.",
)


@dataclass(frozen=True)
class Card:
    """A model card."""

    metadata: Metadata
    """The model's."""
    name: str
    """Of its file."""
    size: int | None = None
    """Bytes of the converted model; None for a Keras model."""
    evaluation: Mapping[str, Any] | None = None
    """Record that `edgelstm evaluate` stored; None for none."""

    @property
    def markdown(self) -> str:
        """The card as Markdown."""
        parts = [self._head(), self._data(), self._quality(), self._limits(), self._validation(), self._origin()]
        return "\n\n".join("\n".join(part) for part in map(list, parts) if part) + "\n"

    def __repr__(self) -> str:
        return f"Card({self.name})"

    def _repr_markdown_(self) -> str:
        return self.markdown

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        evaluation = dict(self.evaluation) if self.evaluation else None
        return {"model": self.name, "markdown": self.markdown, "sentences": self._words(), "evaluation": evaluation}

    def save(self, path: Path | str) -> None:
        """Write the card as a Markdown file.

        Raises:
            OutputError: If it cannot be written.
        """
        write_atomic(path, self.markdown.encode())

    def _words(self) -> list[str]:
        return sentences(self.metadata) if self.metadata.scoring else []

    def _head(self) -> Iterator[str]:
        metadata = self.metadata
        purpose = {
            "autoencoder": "raises an alarm where rows cannot be rebuilt from their own pattern",
            "forecaster": "raises an alarm where the next row is not as forecast",
            "classifier": "names the state of a machine, or the intent of a text",
        }.get(metadata.kind, "transforms windows of rows")
        if FORECAST in metadata.sections:
            purpose = f"forecasts {metadata.horizon} rows of {', '.join(self._targets())}"
        yield f"# Model card: {self.name}"
        yield ""
        yield f"A {_sort(metadata)} {metadata.kind} on {len(metadata.channels)} channels that {purpose}."
        yield from ("", *self._words()) if self._words() else ()
        yield ""
        yield f"- Reads {duration(metadata.window, metadata.period)} at a time ({metadata.window} rows)"
        if calendar := metadata.sections.get(CALENDAR):
            yield f"- Knows hour and weekday, {calendar.get('zone') or 'by times as they are written'}"
        if self.size is not None:
            yield f"- {self.size / 1024:.1f} KiB, scheme {metadata.scheme}{', target ' + metadata.target if metadata.target else ''}"
        yield from (f"- Not for: {text}" for text in NOT_FOR)

    def _targets(self) -> tuple[str, ...]:
        return self.metadata.names[: self.metadata.sections[FORECAST]["targets"]]

    def _data(self) -> Iterator[str]:
        metadata = self.metadata
        training: Mapping[str, Any] = metadata.sections.get("training", {})
        yield "## Data"
        yield ""
        if rows := training.get("rows"):
            yield f"Trained on {rows:,} rows" + (f", {duration(rows, metadata.period)}." if metadata.period else ".")
        if examples := training.get("examples"):
            yield "Trained on " + ", ".join(f"{count:,} × {name}" for name, count in examples.items()) + "."
        contamination = training.get("contamination") or {}
        if left := contamination.get("rows"):
            yield f"{left:,} rows unlike all others were left out."
        if metadata.channels:
            yield ""
            yield "| channel | unit | lowest | highest |"
            yield "|---|---|---|---|"
            for channel in metadata.channels:
                ends = ["–" if end is None else f"{end:.6g}" for end in (channel.train_low, channel.train_high)]
                yield f"| {cell(channel.name)} | {cell(channel.unit) or '–'} | {ends[0]} | {ends[1]} |"

    def _quality(self) -> Iterator[str]:
        if self.evaluation is None:
            return
        yield "## Quality"
        yield ""
        yield f"Measured by `edgelstm evaluate` on {cell(str(self.evaluation.get('data', 'labelled rows')))}, threshold untouched by labels."
        yield ""
        yield "| metric | value | meaning |"
        yield "|---|---|---|"
        for name, meaning in MEANING.items():
            value = self.evaluation.get(name)
            yield f"| {name} | {'–' if value is None else f'{value:.3f}'} | {meaning} |"

    def _limits(self) -> Iterator[str]:
        section = self.metadata.sections.get(LIMITS)
        threshold = self.metadata.threshold
        if section is None and threshold is None:
            return
        yield "## Limits"
        yield ""
        if threshold is not None:
            yield f"Alarm above a score of {threshold.value:.4g}, set by the rule `{threshold.method}` on {threshold.samples:,} scores."
        if section is None:
            return
        within = duration(section["rows"], self.metadata.period)
        units = {channel.name: channel.unit for channel in self.metadata.channels}
        yield ""
        yield f"Smallest faults found in {section['share']:.0%} of cases within {within}, put into rows of normal operation:"
        yield ""
        yield "| channel | offset | drift | stuck for |"
        yield "|---|---|---|---|"
        for limit in section["channels"]:
            sizes = [
                "–" if limit[kind] is None else amount(limit[kind], units.get(limit["channel"], ""))
                for kind in ("offset", "drift")
            ]
            stuck = "–" if limit["stuck"] is None else duration(limit["stuck"], self.metadata.period)
            yield f"| {cell(limit['channel'])} | {cell(sizes[0])} | {cell(sizes[1])} | {stuck} |"

    def _validation(self) -> Iterator[str]:
        accuracy = self.metadata.accuracy
        if not accuracy:
            return
        yield "## Validation of the conversion"
        yield ""
        yield "On windows that were held back, through the interpreter of the device:"
        yield ""
        yield f"- Keras → float TFLite: {accuracy.get('lowering_error', 0.0):.1e} of the output's deviation at most"
        if self.metadata.scheme != "float32":
            yield f"- float → {self.metadata.scheme}: {accuracy.get('error', 0.0):.2%} of the output's deviation (RMS)"
            if worst := accuracy.get("channel_error", 0.0):
                yield f"- Worst output channel, {cell(self._output(accuracy.get('channel', 0)))}: {worst:.2%} of its own deviation"
        representative = accuracy.get("representative", {})
        if representative:
            yield f"- {representative.get('windows', 0):,} representative windows, {representative.get('held', 0):,} held back"
            yield from (f"- {warning}" for warning in representative.get("warnings", ()))

    def _output(self, number: int) -> str:
        """Name of an output channel of a detector, which returns its input's channels; its number of other models."""
        names = self.metadata.names
        return names[number % len(names)] if names and self.metadata.scoring else f"number {number}"

    def _origin(self) -> Iterator[str]:
        yield "## Origin"
        yield ""
        if self.metadata.source:
            yield f"- Keras model: SHA-256 `{self.metadata.source}`"
        yield from (f"- {name} {version}" for name, version in sorted(self.metadata.tools.items()))


def cell(text: str) -> str:
    """A text in a Markdown table.

    >>> cell("a<b>  c")
    'a&lt;b&gt; c'
    """
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|").split())


def card_of(path: Path, evaluation: Path | None = None) -> Card:
    """The card of a model file.

    Args:
        path: `.keras` or `.tflite`.
        evaluation: What `edgelstm evaluate` stored about it; None takes MODEL.evaluation.json beside it, where it is.

    Raises:
        ModelError: If the file is no model of this tool.
        SeriesError: If the evaluation cannot be read.
    """
    metadata, flatbuffer = model_parts(path)
    stored = evaluation or evaluation_of(path)
    return Card(metadata, path.name, len(flatbuffer) or None, None if stored is None else _read_evaluation(stored))


def evaluation_of(model: Path) -> Path | None:
    """MODEL.evaluation.json beside a model, which `edgelstm evaluate` stores; None where it is not."""
    beside = model.with_suffix(".evaluation.json")
    return beside if beside.is_file() else None


def _read_evaluation(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SeriesError(f"Cannot read {path}: {error}. Name a file that `edgelstm evaluate` stored.") from error
    if not isinstance(record, dict) or not all(
        isinstance(record.get(name), (int, float, type(None))) for name in MEANING
    ):
        raise SeriesError(f"{path} holds no evaluation of a detector. Name a file that `edgelstm evaluate` stored.")
    return record


def _sort(metadata: Metadata) -> str:
    """Say whether a model reads rows one after the other."""
    options = metadata.sections.get("training", {}).get("options", {})
    return "linear" if options.get("architecture", {}).get("kind") == "linear" else "recurrent"
