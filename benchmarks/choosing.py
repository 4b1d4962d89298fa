"""Would `train` do better to choose a model by injected faults? Candidates judged without labels, then held against labels.

Example: python benchmarks/choosing.py --data DATA --out results

Candidates are trained on the same rows: the default forecaster, one with half and one with twice its look-back, an
autoencoder, and the forecaster with its recurrent layers silenced. Each meets the same eight kinds of faults at the same places of
normal rows (Goswami et al., ICLR 2023), with its own score and threshold. What a choice by these faults gains or loses is
read off the labels of the test rows. A candidate that is done is kept in OUT/choosing, a trained model in OUT/models.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from contenders import judged, silenced
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import EdgelstmError
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.scoring.registry import scorer_of
from protocols import PROTOCOLS, Case

from edgelstm.evaluation.batched_predict import batched_predict
from edgelstm.evaluation.metrics import Points, points, roc_auc, vus_pr
from edgelstm.training.architectures import Architecture
from edgelstm.training.candidates import PLACES, faulty_places
from edgelstm.training.injected_faults import ROWS
from edgelstm.training.lookback_trials import BLANKS, SHORTEST
from edgelstm.training.train import Options, train
from edgelstm.training.trained import Trained
from edgelstm.training.trial import CALM, Trial, errors_of, places_of

DEFAULT, HALF, DOUBLE, AUTOENCODER, LINEAR = "forecaster", "half look-back", "double look-back", "autoencoder", "linear"
HEAD = """## A model for each file, chosen by injected faults

VUS-PR / F1 over rows; Keras, one seed (`python benchmarks/choosing.py`). The candidates are trained on the same rows, and each meets 192 faults of eight kinds at twelve places of normal rows, with its own score and threshold. *Most faults found*: the share with an alarm, less the share of sixty places with an alarm and no fault.

The look-back that finds most ranks within .003 of the usual one or better on every corpus, and its alarms are better in the mean: `train --lookback best` takes it, for three times the training. A choice among kinds, too, finds more rows in the mean, but ranks worse: injected faults flatter
autoencoders, which stand out little on the real faults of SMAP/MSL, tsb_m and ASD. To listen to the linear forecast alone where it finds more gains on ASD what it loses on tsb_m and SMD. So `train` shows what its forecasts find, and `--kind` stays with the user."""
Choice = Callable[[Mapping[str, Any]], str]
SHARED = {"tep": "d00"}  # corpora whose files share their rows of training


def made_of(case: Case, name: str, options: Options, path: Path) -> Trained:
    """Return a trained candidate, from its file where it is there."""
    if not path.exists():
        import keras

        keras.backend.clear_session()
        path.parent.mkdir(parents=True, exist_ok=True)
        train(case.series(), options).save(path)
    return Trained.load(path)


def candidates(case: Case, stem: Path) -> dict[str, Trained]:
    """Return the candidates that can be trained on a case."""
    base = Options(limits=False)
    made = {DEFAULT: made_of(case, DEFAULT, base, stem.with_name(stem.name + ".keras"))}
    window = made[DEFAULT].metadata.window
    others = {
        HALF: replace(base, lookback=max(window // 2, SHORTEST)),
        DOUBLE: replace(base, lookback=2 * window),
        AUTOENCODER: replace(base, architecture=Architecture("autoencoder")),
    }
    for name, options in others.items():
        try:
            made[name] = made_of(case, name, options, stem.with_name(f"{stem.name}.{name.replace(' ', '_')}.keras"))
        except EdgelstmError as error:
            click.echo(f"{case.name}, {name}: {error}", err=True)
    return made


def peaks(model: Any, metadata: Metadata, stretches: list[Any]) -> list[float]:
    """Return the highest score of each stretch's last rows, those of a fault."""
    assert metadata.scoring is not None
    highest = []
    for errors in errors_of(model, metadata, np.stack(stretches)):
        scorer = scorer_of(metadata.scoring)
        highest.append(max([scorer.update(error)[0] for error in errors.tolist()][CALM:]))
    return highest


def by_faults(made: Trained, metadata: Metadata, case: Case, length: int) -> dict[str, Any]:
    """Judge a candidate by injected faults: shares of alarms, and how well its score tells faulty from normal stretches."""
    assert metadata.scaler is not None
    normal = [np.asarray(metadata.scaler.transform(part), np.float32) for part in case.parts()]
    places, blanks = places_of(normal, length, PLACES), places_of(normal, length, BLANKS)
    if not places:
        return {}
    deviations = np.concatenate(normal).std(axis=0)
    stretches = [stretch for _, stretch in faulty_places(places, deviations)]
    trial = Trial(made.model, metadata)
    found = np.array([delay is not None for delay in trial.delays(stretches)])
    false = np.array([delay is not None for delay in trial.delays(blanks)])
    scores = [*peaks(made.model, metadata, blanks), *peaks(made.model, metadata, stretches)]
    labels = np.arange(len(scores)) >= len(blanks)
    return {
        "found": float(found.mean()), "false": float(false.mean()), "auc": roc_auc(labels, np.asarray(scores)),
        "places": len(places),
    }  # fmt: skip


def by_labels(made: Trained, metadata: Metadata, case: Case) -> dict[str, Any]:
    """Judge a candidate by the labels of the test rows."""
    assert metadata.scaler is not None
    detector = Detector(metadata, batched_predict(made.model, metadata, [metadata.scaler.transform(case.test)]))
    found, first = judged(replace(case, causes=()), detector), case.start
    volume = vus_pr(case.labels[first:], np.nan_to_num(found.scores[first:]), case.window)
    return {"vus_pr": volume, "points": asdict(points(case.labels[first:], found.flags[first:]))}


def one(benchmark: str, data: Path, number: int, out: Path) -> dict[str, Any]:
    """Return the figures of all candidates of a case."""
    case = list(PROTOCOLS[benchmark](data))[number]
    path = out / "choosing" / f"{benchmark}.{case.name}.json"
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        return known
    try:
        made = candidates(case, out / "models" / f"{benchmark}.0.{SHARED.get(benchmark, case.name)}")
    except EdgelstmError as error:
        click.echo(f"{case.name}: {error}", err=True)
        return {}
    length = max(one.metadata.window for one in made.values()) + 1 + CALM + ROWS
    figures = {}
    for name, which in made.items():
        parameters, window = int(which.model.count_params()), which.metadata.window
        for title, metadata in ((name, which.metadata), *((LINEAR, silent(which)),) * (name == DEFAULT)):
            figures[title] = {
                "window": window, "parameters": parameters, "faults": by_faults(which, metadata, case, length),
                "labels": by_labels(which, metadata, case),
            }  # fmt: skip
    path.write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def silent(made: Trained) -> Metadata:
    """Return the metadata of a forecaster with its recurrent layers silenced."""
    assert made.metadata.scoring is not None
    assert made.representative is not None
    metadata = made.metadata.with_(scoring=silenced(made.metadata.scoring), threshold=None)
    normal = made.representative.normal
    return fit_detector(metadata, batched_predict(made.model, metadata, normal), normal)


def value_of(figures: Mapping[str, Any]) -> float:
    """Return the share of the faults that a candidate finds, less its share of false alarms; least where there is no place for any."""
    return float(figures["faults"]["found"] - figures["faults"]["false"]) if figures["faults"] else -1.0


def separation(figures: Mapping[str, Any]) -> float:
    """Return how well a candidate's score tells faulty stretches from normal ones."""
    return float(figures["faults"].get("auc", 0.0))


def ranking(figures: Mapping[str, Any]) -> float:
    """Return a candidate's VUS-PR by the labels, which only an oracle knows."""
    return float(figures["labels"]["vus_pr"] or 0.0)


def most(value: Callable[[Mapping[str, Any]], float], names: tuple[str, ...]) -> Choice:
    """Return a choice of the candidate of the largest value, of the default among equals."""
    return lambda case: max(
        (name for name in case if name in names), key=lambda name: (value(case[name]), name == DEFAULT)
    )


def always(wanted: str) -> Choice:
    """Return a choice of one candidate, of the default where that one cannot be trained."""
    return lambda case: wanted if wanted in case else DEFAULT


LOOKBACKS = (DEFAULT, HALF, DOUBLE)
RECURRENT = (*LOOKBACKS, AUTOENCODER)
CHOICES: dict[str, Choice] = {
    "default (both forecasts)": always(DEFAULT),
    "its linear forecast alone": always(LINEAR),
    HALF: always(HALF),
    DOUBLE: always(DOUBLE),
    AUTOENCODER: always(AUTOENCODER),
    "chosen: look-back that finds most": most(value_of, LOOKBACKS),
    "chosen: kind and look-back that find most": most(value_of, RECURRENT),
    "chosen: kind and look-back whose scores tell faults best": most(separation, RECURRENT),
    "chosen: linear where it finds more": most(value_of, (DEFAULT, LINEAR)),
    "oracle that knows the labels": most(ranking, (*RECURRENT, LINEAR)),
}


def summary(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Rows of a Markdown table: VUS-PR and F1 over rows of each choice, by corpus."""
    lines = ["| | " + " | ".join(figures) + " | mean without the pump |", "|---" * (len(figures) + 2) + "|"]
    for name, choice in CHOICES.items():
        pairs = {corpus: quality(list(cases.values()), choice) for corpus, cases in figures.items()}
        mean = np.mean([pair for corpus, pair in pairs.items() if corpus != "pump"], axis=0)
        lines.append(
            f"| {name} | " + " | ".join(f"{one:.3f} / {two:.3f}" for one, two in [*pairs.values(), mean]) + " |"
        )
    return lines


def quality(cases: list[Mapping[str, Any]], choice: Choice) -> tuple[float, float]:
    """Return mean VUS-PR and pooled F1 of what a choice takes."""
    taken = [case[choice(case)]["labels"] for case in cases]
    pooled = sum((Points(**one["points"]) for one in taken), Points(0, 0, 0, 0))
    return float(np.mean([one["vus_pr"] for one in taken if one["vus_pr"] is not None])), pooled.f1


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder of the corpora.")
@click.option("--pump", type=click.Path(path_type=Path, exists=True), default="calibration_data")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where results go.")
@click.option("--corpora", default=",".join(PROTOCOLS), show_default=True)
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Files at a time, one core each.")
def main(data: Path, pump: Path, out: Path, corpora: str, jobs: int) -> None:
    """Judge the candidates of every case."""
    (out / "choosing").mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for benchmark in corpora.split(","):
            folder = pump if benchmark == "pump" else data / benchmark
            names = [case.name for case in PROTOCOLS[benchmark](folder)]
            tasks = [pool.submit(one, benchmark, folder, number, out) for number in range(len(names))]
            found = {name: task.result() for name, task in zip(names, tasks, strict=True)}
            figures[benchmark] = {name: case for name, case in found.items() if case}
            click.echo(f"{benchmark} done", err=True)
    (out / "choosing.json").write_text(json.dumps(figures) + "\n")
    text = "\n".join([HEAD, "", *summary(figures), ""])
    (out / "choosing.md").write_text(text)
    click.echo(text)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
