"""Baseline for intent classifiers: TF-IDF and logistic regression."""

from typing import Any

from .data import Texts

BASELINES: dict[str, dict[str, Any]] = {
    "words": {},
    "words and pairs": {"ngram_range": (1, 2)},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 4)},
}


def fit_baseline(data: Texts, kind: str = "words", seed: int = 0) -> Any:
    """A scikit-learn pipeline fitted on labelled texts, its strength of regularization chosen by cross-validation.

    Args:
        data: Training texts.
        kind: `words`, `words and pairs` or `characters` (n-grams of 2 to 4 within words).
        seed: Of the solver and the folds.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(TfidfVectorizer(**BASELINES[kind]), LogisticRegression(max_iter=1000, random_state=seed))
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    search = GridSearchCV(pipeline, {"logisticregression__C": [1.0, 10.0, 100.0]}, cv=folds)
    return search.fit(data.texts, data.labels)
