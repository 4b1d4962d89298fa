"""Measurements from other machines, merged into a report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgelstm.runtime.diagnostics.benchmark import Benchmark
from edgelstm.runtime.errors import ModelError

from .report_json import build_value
from .schema import Measured, Report
from .verdict import bench_command


def merge(report: Report, measured: Sequence[Measured]) -> Report:
    """Add measurements from other machines to a report.

    Args:
        report: The report.
        measured: Results of `edgelstm bench --json`, from `read_bench`.

    Raises:
        ModelError: If one was measured on another model than this report's.
    """
    benches = {bench.file: bench for bench in report.benches}
    for result in measured:
        benches[result.file] = _matched(report, result)
    return replace(report, benches=tuple(benches.values()))


def read_bench(path: Path) -> Measured:
    """Read a file that `edgelstm bench --json` wrote.

    Raises:
        ModelError: If it is no such result.
    """
    return Measured(path.name, _results(path))


def _results(path: Path) -> tuple[Benchmark, ...]:
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


def _matched(report: Report, measured: Measured) -> Measured:
    schemes = {scheme.scheme: scheme.bench.form if scheme.bench else "" for scheme in report.made_schemes}
    again = f"Measure this report's files there: {bench_command(report, measured.file.removesuffix('.json'))}"
    for result in measured.results:
        if result.source != report.model.source:
            theirs = f"source {result.source[:12]}" if result.source else "no source at all"
            raise ModelError(
                f"{measured.file} was measured on another model: {result.model} there has {theirs}, "
                f"{report.model.name} is {report.model.source[:12]}. {again}"
            )
        if result.scheme not in schemes:
            raise ModelError(
                f"{measured.file} holds scheme {result.scheme}; this report has {', '.join(sorted(schemes))}. {again}"
            )
        if result.form != schemes[result.scheme]:
            theirs, ours = (f"the form {form}" if form else "windows" for form in (result.form, schemes[result.scheme]))
            raise ModelError(
                f"{measured.file} was measured on {theirs}: {result.model}; this report is on {ours}. {again}"
            )
    return measured
