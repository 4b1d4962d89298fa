"""Counters in Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..sinks import RemoteSink
from ..version import __version__
from .runner import Runner


class _Family(NamedTuple):
    """One metric with its values by labels."""

    name: str
    kind: str
    help: str
    values: Sequence[tuple[dict[str, str], float]]


def exposition(runners: Sequence[Runner]) -> str:
    """All metrics of all streams."""
    return "".join(_text(family) for family in _families(runners))


def _families(runners: Sequence[Runner]) -> Iterator[_Family]:
    yield _Family("edgelstm_info", "gauge", "Version of edgelstm", [({"version": __version__}, 1.0)])
    yield from _stream_families(runners)
    yield from _forecast_families(runners)
    yield from _sink_families(runners)
    yield from _model_families(runners)


def _stream_families(runners: Sequence[Runner]) -> Iterator[_Family]:
    status = [({"stream": runner.name}, runner.status) for runner in runners]

    def each(name: str, kind: str, text: str, values: Iterable[float | None]) -> _Family:
        paired = zip(status, values, strict=True)
        return _Family(name, kind, text, [(labels, value) for (labels, _), value in paired if value is not None])

    yield each("edgelstm_samples_total", "counter", "Samples taken", (s.samples for _, s in status))
    yield each("edgelstm_scored_total", "counter", "Samples scored", (s.scored for _, s in status))
    yield each("edgelstm_anomalous_total", "counter", "Samples above the threshold", (s.anomalies for _, s in status))
    yield each("edgelstm_update_seconds_total", "counter", "Time spent scoring", (s.seconds for _, s in status))
    yield each("edgelstm_running", "gauge", "1 while the stream is read", (float(s.running) for _, s in status))
    yield each("edgelstm_open_events", "gauge", "Events open now", (s.alarms for _, s in status))
    yield each("edgelstm_last_sample_age_seconds", "gauge", "Age of the newest sample", (s.age for _, s in status))
    yield each("edgelstm_score", "gauge", "Newest score", (s.last.score if s.last else None for _, s in status))
    yield each(
        "edgelstm_threshold", "gauge", "Alarm threshold", (s.last.threshold if s.last else None for _, s in status)
    )
    events = [({**labels, "kind": kind}, n) for labels, s in status for kind, n in sorted(s.opened.items())]
    yield _Family("edgelstm_events_total", "counter", "Events opened, by kind", events)
    reasons = [({**labels, "status": why}, n) for labels, s in status for why, n in sorted(s.statuses.items())]
    yield _Family("edgelstm_samples_by_status_total", "counter", "Samples by what became of them", reasons)
    troubles = [
        ({"stream": runner.name, "reason": why}, float(count))
        for runner in runners
        for why, count in runner.troubles.items()
    ]
    yield _Family("edgelstm_input_troubles_total", "counter", "Troubles with the input, by policy", troubles)


def _forecast_families(runners: Sequence[Runner]) -> Iterator[_Family]:
    """Watched quality of forecasts, of forecasters."""
    known = [(runner.name, runner.status.forecast["quality"]) for runner in runners if runner.status.forecast]
    each = [
        ({"stream": name, "target": target}, averages)
        for name, quality in known
        for target, averages in quality["targets"].items()
        if averages["mae"] is not None
    ]
    yield _Family(
        "edgelstm_forecast_reliable", "gauge", "0 while forecasts are unreliable",
        [({"stream": name}, float(quality["reliable"])) for name, quality in known],
    )  # fmt: skip
    for key, text in (("mae", "Mean absolute error of forecasts"), ("naive_mae", "That of repeating the patch before")):
        values = [(labels, float(averages[key])) for labels, averages in each]
        yield _Family(f"edgelstm_forecast_{key}", "gauge", f"{text}, decaying average", values)
    shares = [
        ({**labels, "interval": level}, float(share))
        for labels, averages in each
        for level, share in averages["coverage"].items()
    ]
    yield _Family(
        "edgelstm_forecast_coverage", "gauge", "Share of values inside the interval, decaying average", shares
    )


def _sink_families(runners: Sequence[Runner]) -> Iterator[_Family]:
    sinks = [
        ({"stream": runner.name, "sink": name}, sink)
        for runner in runners
        for name, sink in _told_apart(runner.remote_sinks)
    ]
    yield _Family(
        "edgelstm_sink_delivered_total", "counter", "Records delivered", [(labels, s.delivered) for labels, s in sinks]
    )
    yield _Family(
        "edgelstm_sink_dropped_total", "counter", "Records dropped", [(labels, s.dropped) for labels, s in sinks]
    )
    yield _Family(
        "edgelstm_sink_waiting_bytes", "gauge", "Records on disk", [(labels, s.waiting) for labels, s in sinks]
    )
    yield _Family(
        "edgelstm_sink_up", "gauge", "0 while deliveries fail", [(labels, float(not s.failure)) for labels, s in sinks]
    )


def _model_families(runners: Sequence[Runner]) -> Iterator[_Family]:
    """Signed models, where updates are configured."""
    models = [(runner.name, facts) for runner in runners if (facts := runner.model)]
    keys = ("name", "version", "group", "digest")
    info = [({"stream": name, **{key: str(facts[key]) for key in keys}}, 1.0) for name, facts in models]
    yield _Family("edgelstm_model_info", "gauge", "Signed model at work", info)
    trial = [({"stream": name}, float(facts["trial"])) for name, facts in models]
    yield _Family("edgelstm_model_trial", "gauge", "1 in the trial time of a model", trial)
    failed = [({"stream": name}, float(bool(facts["error"]))) for name, facts in models]
    yield _Family("edgelstm_model_error", "gauge", "1 while the last update failed", failed)


def _told_apart(sinks: Sequence[RemoteSink]) -> Iterator[tuple[str, RemoteSink]]:
    """Number sinks whose names are the same once secrets are masked: Prometheus refuses two equal sets of labels."""
    seen: Counter[str] = Counter()
    for sink in sinks:
        seen[sink.name] += 1
        yield f"{sink.name} {seen[sink.name]}" if seen[sink.name] > 1 else sink.name, sink


def _text(family: _Family) -> str:
    if not family.values:
        return ""
    head = f"# HELP {family.name} {family.help}.\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(f"{family.name}{_labels(labels)} {value!r}\n" for labels, value in family.values)


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    escaped = (
        (name, value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, value in labels.items()
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
