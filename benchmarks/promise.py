"""Promises of false alarms, held against later rows of normal operation.

Example: python benchmarks/promise.py --data DATA --out results

The first half of each file's normal rows fits the linear forecast of `--kind linear`, its score and the threshold of
`--threshold-rule alarms:N`; alarms are counted in the second half, with the product's de-bounce. N is chosen so that three
alarms are promised for the second half: with fewer, one alarm more or less says nothing. A promise is kept where one to nine
come, within a factor of three; not where a half or more of the rows is one long alarm. Rows without a time are promised for by the thousand. The promise of 0.1 a day is shown
beside it: over all files of a corpus together, since no file has thirty days of second half.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import numpy as np
from beyond_training import lifted
from contenders import alarms_of
from decisions import Doubles, errors_of, fitted
from edgelstm.runtime.alarms.debounce import DebounceRules
from edgelstm.runtime.calibration import DOUBTFUL, segment_scores
from edgelstm.runtime.errors import EdgelstmError
from edgelstm.runtime.input.beyond import RANGES
from edgelstm.runtime.scoring.threshold import Setting, few_rows
from edgelstm.runtime.scoring.threshold_rules import DAY, parse_rule, set_threshold
from protocols import PROTOCOLS, Case

PROMISED = 3.0  # alarms in the second half
FACTOR = 3.0  # up to which a rate counts as kept
HEAD = """## The promise of false alarms

`--threshold-rule alarms:N`, checked by `python benchmarks/promise.py`: linear forecast, score and threshold from the first half of each file's normal rows, alarms in the second half. N promises three of them; one to nine keep the promise, unless
half of the rows is one long alarm. *Nothing promised*: `train` says that the first half has fewer than five rows for each value that the forecast reads; those files are left out of the columns after it, but for *all files alike*. The last three columns are the promise of 0.1 a day, of all files of a corpus
together. Five rows a value, and to count a burst by the score that two of its rows reach, were chosen looking at SKAB, SMAP/MSL, NAB, tsb_u, TEP and the pump; tsb_m, ASD and SMD were run with both afterwards."""
LONG = 0.5  # share of rows above the threshold from which on alarms are not counted: they are one long alarm
DAILY = 0.1  # alarms a day, the rule's default


@dataclass(frozen=True)
class Outcome:
    """Alarms in the second half of one file's normal rows."""

    benchmark: str
    """Name of the corpus."""
    name: str
    """Name of the file."""
    rows: int
    """Rows of the second half with a score."""
    days: float
    """Their time, 0 where rows have none."""
    alarms: int
    """Alarms at the threshold that promises three."""
    alarm_share: float
    """Share of the rows above it."""
    doubtful: bool
    """True where `train` says that the first half is too short for what the forecast reads."""
    daily: int | None
    """Alarms at the threshold that promises 0.1 a day; None without time."""

    @property
    def long(self) -> bool:
        """True if normal operation has changed so much that half of the rows are above the threshold."""
        return self.alarm_share >= LONG

    @property
    def kept(self) -> bool:
        """True if the alarms lie within a factor of three of the promise."""
        return not self.long and PROMISED / FACTOR <= self.alarms <= PROMISED * FACTOR


def halves(case: Case) -> Case:
    """Return a case that trains on the first half of the normal rows, and is tested on the second."""
    cut = len(case.train) // 2
    segments = tuple((first, min(end, cut)) for first, end in case.segments if first < cut)
    later = case.train[cut:]
    blank = np.zeros(len(later), bool)
    return replace(case, train=case.train[:cut], test=later, labels=blank, start=0, segments=segments, causes=())


def outcome(benchmark: str, case: Case) -> Outcome | None:
    """Count alarms in the second half; None where the first is too short to be fitted on."""
    half = halves(case)
    try:
        known = errors_of(half)
    except EdgelstmError:
        return None
    if known is None or not len(known[1]):
        return None
    normal, later, order = known
    reads = order * len(case.channels)
    scoring = fitted(normal, reads)
    before = np.concatenate([segment_scores(scoring, part) for part in normal])
    after = segment_scores(scoring, later)
    rules = DebounceRules()
    promised, setting = 1000 * PROMISED / len(after), Setting(reads, None, rules.cooldown, rules.minimum)
    threshold = set_threshold(parse_rule(f"alarms:{promised:.9g}"), before, setting).value
    daily = None
    if case.period:
        timed = replace(setting, period=case.period)
        limit = set_threshold(parse_rule(f"alarms:{DAILY}"), before, timed).value
        daily = len(alarms_of(heard(half, after, limit), limit))
    scores = heard(half, after, threshold)
    days, share = len(after) * (case.period or 0.0) / DAY, float(np.mean(scores > threshold))
    doubtful = few_rows(len(before), reads) > DOUBTFUL
    return Outcome(benchmark, case.name, len(after), days, len(alarms_of(scores, threshold)), share, doubtful, daily)


def heard(half: Case, scores: Doubles, threshold: float) -> Doubles:
    """Return the scores of the second half as a device takes them: rows far outside of the first half are anomalies."""
    return lifted(np.column_stack((scores, np.full(len(scores), threshold))), half, RANGES, threshold)[:, 0]


def summary(outcomes: list[Outcome]) -> list[str]:
    """Rows of a Markdown table: a corpus a row, and all files; files of which `train` promises nothing are counted apart."""
    lines = [
        "| corpus | files | nothing promised | kept, all files alike | kept | too few alarms | too many | one long alarm "
        "| days of second halves | alarms at 0.1 a day, promised | raised |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in [*dict.fromkeys(one.benchmark for one in outcomes), "**all**"]:
        part = [one for one in outcomes if name in (one.benchmark, "**all**")]
        promised = [one for one in part if not one.doubtful]
        kept, few = sum(one.kept for one in promised), sum(one.alarms < PROMISED / FACTOR for one in promised)
        long = sum(one.long for one in promised)
        timed = [one for one in promised if one.daily is not None]
        days = sum(one.days for one in timed)
        daily = f"{days:.0f} | {DAILY * days:.1f} | {sum(one.daily or 0 for one in timed)}" if timed else "- | - | -"
        alike = sum(one.kept for one in part)
        share = f"{kept} of {len(promised)}" + (f" ({100 * kept / len(promised):.0f} %)" if promised else "")
        rest = f"{few} | {len(promised) - kept - few - long} | {long}"
        first = f"{len(part)} | {len(part) - len(promised)} | {alike} of {len(part)}"
        lines.append(f"| {name} | {first} | {share} | {rest} | {daily} |")
    return lines


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of all corpora.")
@click.option("--pump", default="calibration_data", type=click.Path(path_type=Path, exists=True), show_default=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where promise.json goes.")
def main(data: Path, pump: Path, out: Path) -> None:
    """Check the promises on all corpora; write OUT/promise.json and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for benchmark, cases in PROTOCOLS.items():
        seen = set()
        for case in cases(pump if benchmark == "pump" else data / benchmark):
            if case.train.tobytes() in seen:  # TEP: one training part for all files
                continue
            seen.add(case.train.tobytes())
            found = outcome(benchmark, case)
            click.echo(f"{benchmark} {case.name}: {found or 'too few rows to promise anything'}", err=True)
            outcomes += [found] if found else []
            (out / "promise.json").write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n")
    text = "\n".join([HEAD, "", *summary(outcomes), ""])
    (out / "promise.md").write_text(text)
    click.echo(text)


if __name__ == "__main__":
    main()
