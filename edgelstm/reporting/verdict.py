"""Recommended scheme for each target, in plain words, from nothing but the report's own figures."""

from collections.abc import Mapping

from edgelstm.converters.validation.limits import INT8_LIMIT
from edgelstm.runtime.diagnostics.benchmark import Benchmark
from edgelstm.runtime.diagnostics.machine import Machine

from .metrics import METRICS, Metric, written
from .schema import Drop, Report, Scheme, Verdict
from .tables import difference, headline

ARM, X86 = ("aarch64", "arm64", "armv7l", "armv6l"), ("x86_64", "AMD64")
UNSURE = 0.02  # a drop that no interval could be made for is one from here on
ALIKE = 1.1  # times that differ by less than this factor count as equal; then size decides


def verdicts(report: Report) -> tuple[Verdict, ...]:
    """One a target: a Raspberry Pi, an x86 gateway, a microcontroller."""
    return (
        _fastest(report, "Raspberry Pi", ARM),
        _fastest(report, "x86 gateway", X86),
        _microcontroller(report),
    )


def keeps_quality(report: Report, scheme: Scheme) -> bool:
    """Tell whether a scheme is as good as Keras, as far as these rows can tell.

    Args:
        report: The report.
        scheme: One of its schemes.
    """
    metric = headline(report)
    if metric is None or metric.name not in scheme.drops:
        return (scheme.metrics.get("output_error") or 0.0) <= INT8_LIMIT
    drop = scheme.drops[metric.name]
    return drop.value > -UNSURE if drop.certain is None else not (drop.certain and drop.value < -metric.material)


def times(report: Report, machines: tuple[str, ...]) -> tuple[Machine | None, Mapping[str, Benchmark]]:
    """Measurements by scheme on the first machine of an architecture: merged ones before this machine's own.

    Args:
        report: The report.
        machines: Names of an architecture, as `platform.machine()` gives them.
    """
    for bench in report.benches:
        if bench.machine.machine in machines:
            return bench.machine, {result.scheme: result for result in bench.results}
    if report.machine is not None and report.machine.machine in machines:
        return report.machine, {scheme.scheme: scheme.bench for scheme in report.made_schemes if scheme.bench}
    return None, {}


def _fastest(report: Report, target: str, machines: tuple[str, ...]) -> Verdict:
    good = [scheme for scheme in report.made_schemes if keeps_quality(report, scheme)]
    machine, measured = times(report, machines)
    timed = [scheme for scheme in good if scheme.scheme in measured]
    if not good:
        return Verdict(
            target, "", "No scheme keeps the quality of Keras on these rows." + _int8_loss(report), machine is not None
        )
    if machine is None or not timed:
        best = min(good, key=_size)
        reason = f"The smallest of those that keep Keras' quality: {_kib(best)}.{_int8_loss(report)}"
        return Verdict(target, best.scheme, reason, False, bench_command(report, target))
    least = min(measured[scheme.scheme].latency.p50 for scheme in timed)
    close = [scheme for scheme in timed if measured[scheme.scheme].latency.p50 <= ALIKE * least]
    best = min(close, key=_size)
    reason = (
        f"The fastest of those that keep Keras' quality: {_micro(measured[best.scheme])} a call on {machine.processor}, "
        f"{_kib(best)}.{_int8_time(best, measured)}{_int8_loss(report)}"
    )
    return Verdict(target, best.scheme, reason, True)


def _microcontroller(report: Report) -> Verdict:
    target = "microcontroller"
    scheme = _int8(report)
    unmeasured = "Not timed: `edgelstm bench` needs Linux; time it on the board."
    if scheme is None:
        refused = next((item.refused for item in report.schemes if item.scheme == "int8"), "it was not asked for")
        return Verdict(target, "", f"It takes an all-integer file, and there is no int8 one: {refused}", False)
    if (scheme.validation or {}).get("depth") != "full":
        return Verdict(target, "", "It takes an all-integer file; this model's int8 form keeps parts in float, because "
                       "all integers would lose more.", False)  # fmt: skip
    reason = f"The only all-integer scheme: {_kib(scheme)} of flash for the model."
    return Verdict(target, "int8", f"{reason}{_int8_loss(report) or _kept(report)} {unmeasured}", False)


def remarks(report: Report) -> tuple[str, ...]:
    """Sentences about the unexpected: where int8 is larger or slower, and which drops are real."""
    sentences = []
    scheme, made = _int8(report), report.made_schemes
    if scheme is not None:
        smaller = [other for other in made if _size(other) < _size(scheme)]
        if smaller:
            best = min(smaller, key=_size)
            sentences.append(f"int8 is larger than {best.scheme} here: {_kib(scheme)} against {_kib(best)}.")
        for machine, measured in _all_times(report):
            if {"int8", "float32"} <= set(measured) and measured["int8"].latency.p50 > ALIKE * measured[
                "float32"
            ].latency.p50:
                factor = measured["int8"].latency.p50 / measured["float32"].latency.p50
                why = (
                    ": the interpreter's int8 LSTM kernel is portable reference code there"
                    if machine.machine in X86
                    else ""
                )
                sentences.append(f"int8 is {factor:.1f} times slower than float32 on {machine.processor}{why}.")
    metric = headline(report)
    if metric is not None:
        sentences += _certainty(report, metric)
    sentences += [f"There is no {scheme.scheme} file: {scheme.refused}" for scheme in report.schemes if scheme.refused]
    sentences += [f"{', '.join(names)}: {note}." for note, names in _noted(report).items()]
    sentences += [*report.remarks, *report.notes]
    return (*sentences, *(f"About the representative rows: {warning}." for warning in report.warnings))


def _noted(report: Report) -> dict[str, list[str]]:
    """Names of the schemes that each note is about."""
    schemes: dict[str, list[str]] = {}
    for scheme in report.schemes:
        for note in scheme.notes:
            schemes.setdefault(note, []).append(scheme.scheme)
    return schemes


def _certainty(report: Report, metric: Metric) -> list[str]:
    drops = {scheme.scheme: scheme.drops[metric.name] for scheme in report.made_schemes if metric.name in scheme.drops}
    real = [name for name, drop in drops.items() if drop.certain and drop.value < -metric.material]
    noise = [name for name, drop in drops.items() if drop.certain is False and abs(drop.value) >= metric.material]
    sentences = [f"The {metric.title} drop of {name} is real: {difference(metric, drops[name])}." for name in real]
    sentences += [
        f"The {metric.title} difference of {name} may be noise: {difference(metric, drops[name])} holds 0."
        for name in noise
    ]
    if drops and all(drop.certain is None for drop in drops.values()):
        sentences.append(
            "There are too few independent stretches of rows to say whether a difference is more than noise."
        )
    return sentences


def bench_command(report: Report, target: str) -> str:
    """Command that measures the files of this report on another machine.

    Args:
        report: The report.
        target: Such as Raspberry Pi.
    """
    files = " ".join(scheme.file for scheme in report.made_schemes)
    return f"edgelstm bench {files} --json > {target.split()[-1].lower()}.json"


def _all_times(report: Report) -> list[tuple[Machine, Mapping[str, Benchmark]]]:
    measurements: list[tuple[Machine, Mapping[str, Benchmark]]]
    measurements = [(bench.machine, {result.scheme: result for result in bench.results}) for bench in report.benches]
    if report.machine is not None:
        measurements.append((report.machine, {item.scheme: item.bench for item in report.made_schemes if item.bench}))
    return measurements


def _int8(report: Report) -> Scheme | None:
    return next((scheme for scheme in report.made_schemes if scheme.scheme == "int8"), None)


def _int8_loss(report: Report) -> str:
    """A clause on what int8 loses, where it does."""
    scheme, metric = _int8(report), headline(report)
    if scheme is None or keeps_quality(report, scheme):
        return ""
    drop: Drop | None = scheme.drops.get(metric.name) if metric else None
    if metric is None or drop is None:
        return f" int8 ({_kib(scheme)}) has an output error of {written(METRICS['output_error'], scheme.metrics['output_error'])}."
    return f" int8 ({_kib(scheme)}) loses {metric.title}: {difference(metric, drop)}."


def _kept(report: Report) -> str:
    metric = headline(report)
    return f" It keeps Keras' {metric.title}." if metric else " Its output stays within the limit."


def _int8_time(best: Scheme, measured: Mapping[str, Benchmark]) -> str:
    if best.scheme == "int8" or "int8" not in measured:
        return ""
    return f" int8 takes {_micro(measured['int8'])}."


def _size(scheme: Scheme) -> int:
    return scheme.size or 0


def _kib(scheme: Scheme) -> str:
    return f"{_size(scheme) / 1024:.1f} KiB"


def _micro(bench: Benchmark) -> str:
    return f"{bench.latency.p50:,.0f} µs"
