"""Baselines for detection, in the same harness and with the same threshold rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.scaler import fit_scaler
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from edgelstm.training.lookback import choose_lookback

Doubles = npt.NDArray[np.float64]
Baseline = Callable[[Doubles, Doubles, int], tuple[Doubles, Doubles]]
WINDOW = 10  # rows
KEPT = 0.9  # share of the variance that the principal components keep


def isolation_forest(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Isolation forest on single rows (Liu et al. 2008)."""
    model = IsolationForest(random_state=seed).fit(train)
    return -model.score_samples(train), -model.score_samples(test)


def t2_q(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """PCA on rows: Hotelling's T² and the residual Q, each over its 99 % quantile, the larger of both."""
    model = PCA(KEPT).fit(train)

    def parts(rows: Doubles) -> tuple[Doubles, Doubles]:
        code = model.transform(rows)
        residual = rows - model.inverse_transform(code)
        return (code**2 / np.maximum(model.explained_variance_, 1e-12)).sum(axis=1), (residual**2).sum(axis=1)

    limits = [max(float(np.quantile(part, 0.99)), 1e-12) for part in parts(train)]
    scores = [
        np.maximum(*(part / limit for part, limit in zip(parts(rows), limits, strict=True))) for rows in (train, test)
    ]
    return scores[0], scores[1]


def pca_windows(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """PCA on windows of 10 rows: root mean square of the residual."""
    windows = [_flat(rows) for rows in (train, test)]
    model = PCA(KEPT).fit(windows[0]) if windows[0].std() > 1e-9 else None

    def score(rows: Doubles) -> Doubles:
        kept = windows[0].mean(axis=0) if model is None else model.inverse_transform(model.transform(rows))
        return np.asarray(np.sqrt(((rows - kept) ** 2).mean(axis=1)))

    return score(windows[0]), _late(score(windows[1]), len(test))


def moving_z(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Distance from the mean of the last 10 rows, in deviations of the training rows, mean over channels."""

    def score(rows: Doubles) -> Doubles:
        before = sliding_windows(rows.astype(np.float64), WINDOW)[:-1].mean(axis=1)
        return np.asarray(np.abs(rows[WINDOW:] - before).mean(axis=1))

    return score(train), _late(score(test), len(test))


def seasonal_naive(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Distance from the row one look-back (a period where there is one) before."""
    lag = choose_lookback([train]).rows

    def score(rows: Doubles) -> Doubles:
        return np.asarray(np.abs(rows[lag:] - rows[:-lag]).mean(axis=1))

    return score(train), _late(score(test), len(test))


BASELINES: dict[str, Baseline] = {
    "isolation forest": isolation_forest,
    "PCA T²+Q": t2_q,
    "PCA on windows of 10": pca_windows,
    "moving z-score": moving_z,
    "seasonal naive": seasonal_naive,
}


def run(baseline: Baseline, train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Scores of scaled training rows, and of test rows with NaN where there is none."""
    scaler = fit_scaler(train)
    scaled = [scaler.transform(rows).astype(np.float64) for rows in (train, test)]
    return baseline(scaled[0], scaled[1], seed)


def _flat(rows: Doubles) -> Doubles:
    windows = sliding_windows(rows.astype(np.float32), WINDOW).astype(np.float64)
    return windows.reshape(len(windows), -1)


def _late(scores: Doubles, rows: int) -> Doubles:
    return np.concatenate([np.full(rows - len(scores), np.nan), scores])
