"""Measurements from other machines, merged into a report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgelstm.runtime.diagnostics.benchmark import Benchmark
from edgelstm.runtime.errors import ModelError

from .schema import Measured, Report, build_value
from .verdict import bench_command


def merge(report: Report, paths: Sequence[Path]) -> Report:
    """Add what `edgelstm bench --json` wrote on other machines.

    Raises:
        ModelError: If a file is no such result, or was measured on another model than this report's.
    """
    benches = {bench.file: bench for bench in report.benches}
    for path in paths:
        benches[path.name] = _matched(report, Measured(path.name, _read(path)))
    return replace(report, benches=tuple(benches.values()))


def _read(path: Path) -> tuple[Benchmark, ...]:
    try:
        record: Any = json.loads(path.read_text())
        results = tuple(build_value(Benchmark, entry) for entry in record)
    except FileNotFoundError as error:
        raise ModelError(f"There is no file {path}. Check the name.") from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{path} is not a result of `edgelstm bench MODEL.tflite --json`, or of an older version. Measure again."
        ) from error
    if not results:
        raise ModelError(f"{path} holds no measurement. Measure again with `edgelstm bench MODEL.tflite --json`.")
    return results


def _matched(report: Report, found: Measured) -> Measured:
    schemes = {scheme.scheme: scheme.bench.form if scheme.bench else "" for scheme in report.made_schemes}
    again = f"Measure this report's files there: {bench_command(report, found.file.removesuffix('.json'))}"
    for result in found.results:
        if result.source != report.model.source:
            theirs = f"source {result.source[:12]}" if result.source else "no source at all"
            raise ModelError(
                f"{found.file} was measured on another model: {result.model} there has {theirs}, "
                f"{report.model.name} is {report.model.source[:12]}. {again}"
            )
        if result.scheme not in schemes:
            raise ModelError(
                f"{found.file} holds scheme {result.scheme}; this report has {', '.join(sorted(schemes))}. {again}"
            )
        if result.form != schemes[result.scheme]:
            theirs, ours = (f"the form {form}" if form else "windows" for form in (result.form, schemes[result.scheme]))
            raise ModelError(
                f"{found.file} was measured on {theirs}: {result.model}; this report is on {ours}. {again}"
            )
    return found
