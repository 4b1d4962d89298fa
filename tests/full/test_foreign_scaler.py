"""Scalers that a user saved: scikit-learn's by joblib, and numbers in JSON."""

import json

import numpy as np
import pytest
from edgelstm.runtime.errors import ConversionError

from edgelstm.deployment.foreign_scaler import read_scaler

NAMES = ("flow", "pressure", "temp")


def rows(count=700):
    """Three sensors in their units, shape (T, 3)."""
    time, noise = np.arange(count)[:, None], np.random.default_rng(0).normal(0, 0.02, (count, 3))
    return (np.sin(2 * np.pi * time / [17, 23, 31] + [0, 1, 2]) + noise) * [10, 30, 5] + [50, 200, 1013]


@pytest.mark.parametrize("name", ["MinMaxScaler", "StandardScaler", "RobustScaler", "MaxAbsScaler"])
@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_scikit_learn_s_scalers_scale_alike(tmp_path, name, in_a_pipeline):
    import joblib
    import sklearn.pipeline
    import sklearn.preprocessing

    options = {"feature_range": (-1, 1)} if name == "MinMaxScaler" else {}
    fitted = getattr(sklearn.preprocessing, name)(**options)
    fitted = sklearn.pipeline.make_pipeline("passthrough", fitted) if in_a_pipeline else fitted
    joblib.dump(fitted.fit(rows()), tmp_path / "scaler.joblib")

    assert np.allclose(
        read_scaler(tmp_path / "scaler.joblib", NAMES).transform(rows()), fitted.transform(rows()), atol=1e-5
    )


def test_scaling_by_name_follows_the_channels_order(tmp_path):
    import joblib
    import pandas
    from sklearn.preprocessing import StandardScaler

    frame = pandas.DataFrame(rows(), columns=NAMES)[["temp", "flow", "pressure"]]
    joblib.dump(StandardScaler().fit(frame), tmp_path / "scaler.joblib")
    scaler = read_scaler(tmp_path / "scaler.joblib", NAMES)

    assert np.allclose(scaler.transform(rows()).std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("record", "offset", "scale"),
    [
        ({"offset": [1, 2, 3], "scale": [4, 5, 6]}, (1, 2, 3), (4, 5, 6)),
        ({"mean_": [1, 2, 3], "scale_": [4, 5, 6]}, (1, 2, 3), (4, 5, 6)),
        ({"data_min_": [1, 2, 3], "data_max_": [5, 7, 9]}, (1, 2, 3), (4, 5, 6)),
        ({"min": [0, 0, 0], "max": [4, 4, 4], "feature_range": [-1, 1]}, (2, 2, 2), (2, 2, 2)),
        ({name: {"mean": place, "std": 2} for place, name in enumerate(NAMES)}, (0, 1, 2), (2, 2, 2)),
        ({"mean": {"temp": 3, "flow": 1, "pressure": 2}, "std": [4, 5, 6]}, (1, 2, 3), (4, 5, 6)),
    ],
)
def test_numbers_in_json_are_read_in_the_usual_forms(tmp_path, record, offset, scale):
    (tmp_path / "scaler.json").write_text(json.dumps(record))
    scaler = read_scaler(tmp_path / "scaler.json", NAMES)

    assert (scaler.offset, scaler.scale) == (tuple(map(float, offset)), tuple(map(float, scale)))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("s.json", '{"offset": [1, 2], "scale": [1, 1]}', r"scales 2 channels; the model has 3"),
        ("s.json", '{"offset": [1, 2, 3], "scale": [1, 0, 1]}', "above 0"),
        ("s.json", '{"weights": [1]}', r"holds no scaler: it has weights. Write \{"),
        ("s.json", '{"mean": ["a", 1, 1], "std": [1, 1, 1]}', "something else than a number"),
        ("s.json", "[", "Cannot read a scaler"),
        ("s.txt", "1", "takes a .json, .joblib or .pkl file"),
    ],
)
def test_a_scaler_file_that_holds_none_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)

    with pytest.raises(ConversionError, match=message):
        read_scaler(tmp_path / name, NAMES)


def test_a_scaling_that_is_not_affine_is_refused_by_name(tmp_path):
    import joblib
    from sklearn.preprocessing import QuantileTransformer

    joblib.dump(QuantileTransformer(n_quantiles=10).fit(rows()), tmp_path / "s.joblib")

    with pytest.raises(ConversionError, match="holds a QuantileTransformer"):
        read_scaler(tmp_path / "s.joblib", NAMES)
