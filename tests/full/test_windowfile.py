"""Calibration windows as NumPy files, and model files that are none: each refusal says what to do."""

import numpy as np
import pytest
from edgelstm.runtime.errors import ConversionError, ModelError

from edgelstm.data.npz_windows import read_windows
from edgelstm.keras_file import read_extras

INPUTS = [("flow", (4, 2)), ("context", (3,))]
FLOW, CONTEXT = np.ones((5, 4, 2), np.float32), np.zeros((5, 3), np.float32)


def saved(folder, *arrays, **named):
    np.savez(folder / "windows.npz", *arrays, **named)
    return folder / "windows.npz"


def test_arrays_go_to_the_inputs_of_their_names(tmp_path):
    flow, context = read_windows(saved(tmp_path, context=CONTEXT, flow=FLOW), INPUTS)

    assert np.array_equal(flow, FLOW)
    assert np.array_equal(context, CONTEXT)


def test_unnamed_arrays_go_by_their_order_even_beyond_ten(tmp_path):
    inputs = [(f"input_{number}", (1,)) for number in range(12)]
    found = read_windows(saved(tmp_path, *(np.full((2, 1), number) for number in range(12))), inputs)

    assert [int(part[0, 0]) for part in found] == list(range(12))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"flow": FLOW, "weather": CONTEXT}, r"2 inputs \(flow, context\).*holds flow, weather.*np.savez"),
        ({"flow": FLOW}, "holds flow"),
        ({"flow": FLOW[:, :3], "context": CONTEXT}, r"'flow' expects windows of shape \(4, 2\).*\(3, 2\)"),
        ({"flow": FLOW[:3], "context": CONTEXT}, "same number of windows"),
        ({"flow": FLOW.astype(str), "context": CONTEXT}, "are numbers"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, arrays, message):
    with pytest.raises(ConversionError, match=message):
        read_windows(saved(tmp_path, **arrays), INPUTS)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"folder.*model.save"):
        read_extras(tmp_path)
