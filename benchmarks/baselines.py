"""Baselines for detection, in the same harness and with the same threshold rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.scaler import fit_scaler
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

Doubles = npt.NDArray[np.float64]
Baseline = Callable[[Doubles, Doubles, int], tuple[Doubles, Doubles]]
WINDOW, LONG = 10, 32  # rows
ORDER, RIDGE = 8, 1.0  # rows that OLS looks back at; see `edgelstm.training.linear_init`
MOST_WINDOWS = 4000  # that centres are found on
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


def ols(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Ridge autoregression over all channels; errors by each channel's own, root mean square, averaged over 10 rows."""
    inputs = _past(train)
    penalty = np.diag(np.append(np.full(inputs.shape[1] - 1, max(RIDGE * inputs.shape[1] / len(inputs), 1e-9)), 1e-9))
    gram = inputs.T @ inputs
    penalty *= max(float(np.diag(gram)[:-1].mean()), 1e-9)
    solved = np.linalg.solve(gram + penalty, inputs.T @ train[ORDER:])
    errors = [rows[ORDER:] - _past(rows) @ solved for rows in (train, test)]
    scale = np.maximum(np.sqrt((errors[0] ** 2).mean(axis=0)), 0.01)
    scores = [averaged(np.sqrt(((error / scale) ** 2).mean(axis=1))) for error in errors]
    return scores[0], _late(scores[1], len(test))


def kmeans(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Distance of the window of 32 rows that ends with a row from the nearest of 20 centres (KMeansAD), averaged."""
    scores = _centre_distances(train, test, seed)
    return averaged(scores[0]), _late(averaged(scores[1]), len(test))


def kmeans_centred(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """As `kmeans`, each row by all windows that hold it, as published: it looks into the future."""
    scores = _centre_distances(train, test, seed)
    return scores[0], _spread(scores[1], len(test))


def _centre_distances(train: Doubles, test: Doubles, seed: int) -> list[Doubles]:
    windows = _flat(train, LONG)
    windows = windows[np.linspace(0, len(windows) - 1, min(len(windows), MOST_WINDOWS)).astype(int)]
    model = KMeans(min(20, len(np.unique(windows, axis=0))), n_init=1, random_state=seed).fit(windows)
    return [model.transform(_flat(rows, LONG)).min(axis=1) for rows in (train, test)]


def nearest_windows(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Distance of the window of 32 rows that ends with a row from the nearest of 1000 training windows, averaged."""
    windows = _flat(train, LONG)
    kept = windows[np.linspace(0, len(windows) - 1, min(len(windows), 1000)).astype(int)]
    model = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(kept)
    sparse = windows[:: max(1, len(windows) // 2000)]
    known = model.kneighbors(sparse)[0][:, 1]  # the nearest may be the window itself
    return averaged(known), _late(averaged(model.kneighbors(_flat(test, LONG))[0][:, 0]), len(test))


def sub_pca(train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Windows of 32 rows, each row by all windows that hold it (Sub-PCA of TSB-AD): it looks into the future."""
    windows = _flat(train, LONG)
    if windows.std() < 1e-9:
        return np.zeros(len(windows)), np.zeros(len(test))
    model = PCA(KEPT, svd_solver="full" if windows.shape[1] < 500 else "covariance_eigh").fit(windows)
    variance = np.maximum(model.explained_variance_, 1e-9)
    scores = [(model.transform(_flat(rows, LONG)) ** 2 / variance).sum(axis=1) for rows in (train, test)]
    return scores[0], _spread(scores[1], len(test))


BASELINES: dict[str, Baseline] = {
    "isolation forest": isolation_forest,
    "PCA T²+Q": t2_q,
    "PCA on windows of 10": pca_windows,
    "moving z-score": moving_z,
    "OLS": ols,
    "KMeansAD": kmeans,
    "KMeansAD, centred": kmeans_centred,
    "nearest windows": nearest_windows,
    "Sub-PCA, centred": sub_pca,
}


def run(baseline: Baseline, train: Doubles, test: Doubles, seed: int) -> tuple[Doubles, Doubles]:
    """Scores of scaled training rows, and of test rows with NaN where there is none."""
    scaler = fit_scaler(train)
    scaled = [scaler.transform(rows).astype(np.float64) for rows in (train, test)]
    return baseline(scaled[0], scaled[1], seed)


def averaged(values: Doubles) -> Doubles:
    """Return an exponential average with weight 0.1 of the newest value."""
    means, mean = np.empty_like(values), float(values[0])
    for row, value in enumerate(values.tolist()):
        means[row] = mean = mean + 0.1 * (value - mean)
    return means


def _past(rows: Doubles) -> Doubles:
    windows = np.lib.stride_tricks.sliding_window_view(rows, ORDER, axis=0)[:-1].reshape(len(rows) - ORDER, -1)
    return np.hstack([windows, np.ones((len(windows), 1))])


def _flat(rows: Doubles, length: int = WINDOW) -> Doubles:
    windows = np.lib.stride_tricks.sliding_window_view(rows.astype(np.float32), length, axis=0)
    return windows.reshape(len(windows), -1).astype(np.float32)


def _spread(scores: Doubles, rows: int) -> Doubles:
    """Return the mean over the windows that hold each row."""
    length = rows - len(scores) + 1
    return np.convolve(scores, np.ones(length)) / np.convolve(np.ones(len(scores)), np.ones(length))


def _late(scores: Doubles, rows: int) -> Doubles:
    return np.concatenate([np.full(rows - len(scores), np.nan), scores])
