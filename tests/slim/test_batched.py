"""Integer models over batches of windows: the same bits as the interpreter, and as `Detector.update` row by row."""

import json
import struct

import numpy as np
import pytest
from command_helpers import edgelstm
from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.inference.batched.checked import Checked
from edgelstm.runtime.inference.batched.fixed_point import (
    divide_by_power,
    multiplier_of,
    rescale,
    sigmoid_table,
    tanh_table,
)
from edgelstm.runtime.inference.batched.model import BatchedModel
from edgelstm.runtime.inference.flatbuffer.reader import read_model
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.read_ahead import read_ahead
from edgelstm.runtime.sources import Sample

INTEGER = ("auto.int8", "cast.int8")


def flatbuffer_of(models, name):
    return load_bundle(models / f"{name}.tflite").flatbuffer


def shaken(content, seed):
    """The model with random weights and biases in place of its own: large ones, too, so that gates and states saturate."""
    rng, model, changed = np.random.default_rng(seed), read_model(content), bytearray(content)
    reach = int(rng.integers(8, 128))
    for operator in model.subgraphs[0].operators:
        for index in operator.inputs[1:]:
            tensor = model.subgraphs[0].tensors[index]
            start, size = model.buffers[tensor.buffer].data
            if not size or index < 0:
                continue
            if tensor.type == 9:
                changed[start : start + size] = rng.integers(-reach, reach, size).astype(np.int8).tobytes()
            elif tensor.type == 2 and tensor.scales:
                biases = rng.integers(-20_000, 20_000, size // 4)
                changed[start : start + size] = struct.pack(f"<{len(biases)}i", *biases.tolist())
    return bytes(changed)


def rows_for(model, seed, count=120):
    """Rows of the model's type: a walk, stretches at the ends of the type's range, and noise over all of it."""
    rng, tensor = np.random.default_rng(seed), model.inputs[0]
    limits = np.iinfo(tensor.dtype)
    walk = np.cumsum(rng.integers(-9, 10, (count, tensor.shape[2])), axis=0) * (limits.max // 100)
    walk[20:30], walk[35:45] = limits.min, limits.max
    walk[60:90] = rng.integers(limits.min, limits.max, (30, tensor.shape[2]))
    return np.clip(walk, limits.min, limits.max).astype(tensor.dtype)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", INTEGER)
def test_random_weights_and_extreme_windows_give_the_bits_of_the_interpreter(models, name, seed):
    content = flatbuffer_of(models, name) if not seed else shaken(flatbuffer_of(models, name), seed)
    model, batched = TFLiteModel(content), BatchedModel(content)
    windows = sliding_windows(rows_for(model, seed), model.inputs[0].shape[1])

    expected = np.concatenate([model.run_one(window) for window in windows])

    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(batched(windows)[0], expected)
    np.testing.assert_array_equal(batched(np.ascontiguousarray(windows))[0], expected)


def test_blocks_and_threads_change_nothing(models):
    content = flatbuffer_of(models, "auto.int8")
    model = TFLiteModel(content)
    windows = sliding_windows(rows_for(model, 1), model.inputs[0].shape[1])
    one, many = BatchedModel(content, threads=1), BatchedModel(content, threads=3)
    many.block = 7

    np.testing.assert_array_equal(one(windows)[0], many(windows)[0])
    assert one(windows[:0])[0].shape == (0, 24, 2)


def test_an_operator_without_an_exact_form_is_left_to_the_interpreter(models):
    assert TFLiteModel(flatbuffer_of(models, "auto.float32")).batched is None
    assert TFLiteModel(flatbuffer_of(models, "ahead.int8")).batched is None
    assert TFLiteModel(flatbuffer_of(models, "auto.int8")).batched is not None


def test_a_form_that_disagrees_with_the_interpreter_is_given_up(caplog):
    def single(values):
        return values[None] + 1

    right, wrong = Checked(lambda many: many + 1, single), Checked(lambda many: many + 2, single)
    inputs = np.arange(12).reshape(6, 2)

    assert right(inputs).tolist() == wrong(inputs).tolist() == (inputs + 1).tolist()
    assert "rounds otherwise" in caplog.text


def test_products_are_rounded_twice_as_the_kernels_round_them():
    rng = np.random.default_rng(0)
    for scale in 2.0 ** rng.uniform(-20, 1, 20):
        multiplier, shift = multiplier_of(scale)
        values = rng.integers(-(2**20), 2**20, 500)
        high = [((v << max(shift, 0)) * multiplier + (1 << 30)) >> 31 for v in values.tolist()]
        down = max(-shift, 0)
        exact = [(abs(h) + ((1 << down) >> 1) >> down) * (1 if h >= 0 else -1) for h in high]

        assert rescale(values, multiplier, shift).tolist() == exact
    assert divide_by_power(np.array([-3, -2, 2, 3]), 2).tolist() == [-1, -1, 1, 1]


def test_tables_are_the_functions_to_a_few_steps():
    steps = np.arange(-32768, 32768)

    assert np.abs(sigmoid_table() / 32768 - 1 / (1 + np.exp(-steps / 4096))).max() < 2e-3
    for bits in range(7):
        assert np.abs(tanh_table(bits) / 32768 - np.tanh(steps / 2 ** (15 - bits))).max() < 4e-3


def untidy(stream):
    """Rows of a file as bad as they come: readings that are missing, stuck, absurd, rows late, doubled and lost."""
    times, rows = stream[:, 0].copy(), stream[:, 1:].copy()
    rows[50, 0] = np.nan
    rows[80:84] = np.nan
    rows[120:160, 1] = rows[120, 1]
    rows[200] = 1e15
    rows[210, 0] = np.inf
    times[300:] += 2
    times[350:] += 500
    times[400] = times[399]
    times[420] = times[410]
    rows[450:520, 0] = np.nan
    return times, rows


@pytest.mark.parametrize("known", [1, 40, 600])
def test_results_are_the_same_whether_rows_are_known_beforehand_or_not(models, stream, known):
    times, rows = untidy(stream)
    for name in INTEGER:
        plain, ahead = (Detector.load(models / f"{name}.tflite") for _ in range(2))

        expected = [plain.update(row, time) for row, time in zip(rows.tolist(), times.tolist(), strict=True)]
        results = []
        for at in range(0, len(rows), known):
            ahead.expect(rows[at : at + known], times[at : at + known])
            results += [
                ahead.update(*pair)
                for pair in zip(rows[at : at + known].tolist(), times[at : at + known].tolist(), strict=True)
            ]

        assert results == expected
        assert plain.finish() == ahead.finish()
        assert plain.snapshot() == ahead.snapshot()


def test_the_interpreter_runs_few_windows_of_rows_that_are_known(models, stream):
    detector = Detector.load(models / "auto.int8.tflite")
    calls = []
    detector.engine._interpreter = CountingInterpreter(detector.engine._interpreter, calls)

    detector.expect(stream[:, 1:], stream[:, 0])
    for row in stream[:, 1:].tolist():
        detector.update(row)

    assert len(calls) == 0


class CountingInterpreter:
    """An interpreter that notes its calls."""

    def __init__(self, interpreter, calls):
        self._interpreter, self._calls = interpreter, calls

    def __getattr__(self, name):
        return getattr(self._interpreter, name)

    def invoke(self):
        self._calls.append(1)
        self._interpreter.invoke()


def test_samples_before_a_failure_of_the_source_are_given_out(models):
    def failing():
        yield from (Sample([50.0, 5.0], float(row), row) for row in range(30))
        raise SeriesError("row 31 is damaged")

    detector, rows = Detector.load(models / "auto.int8.tflite"), []
    with pytest.raises(SeriesError, match="row 31"):
        rows.extend(sample.row for sample in read_ahead(failing(), detector))

    source = read_ahead(iter(()), detector)
    assert rows == list(range(30))
    assert list(source) == []


def test_run_on_a_file_raises_the_events_of_the_detector(models, stream, tmp_path):
    times, rows = untidy(stream)
    data = tmp_path / "rows.csv"
    cells = [f"{time},{level},{flow}" for time, (level, flow) in zip(times, rows, strict=True)]
    data.write_text("\n".join(["time,level_cm,flow_lpm", *cells]).replace("nan", ""))

    done = edgelstm("run", models / "auto.int8.tflite", data)
    detector = Detector.load(models / "auto.int8.tflite")
    events = [
        event
        for row, time in zip(rows.tolist(), times.tolist(), strict=True)
        for event in detector.update(row, time).events
    ]

    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [
        e.id for e in (*events, *detector.finish())
    ]


def test_score_writes_what_the_detector_says_row_by_row(models, stream, tmp_path):
    times, rows = untidy(stream)
    data = tmp_path / "rows.csv"
    cells = [f"{time},{level},{flow}" for time, (level, flow) in zip(times, rows, strict=True)]
    data.write_text("\n".join(["time,level_cm,flow_lpm", *cells]).replace("nan", ""))
    out = tmp_path / "scores.csv"

    done = edgelstm("score", models / "auto.int8.tflite", data, "-o", out)
    detector = Detector.load(models / "auto.int8.tflite")
    expected = [detector.update(row, time).score for row, time in zip(rows.tolist(), times.tolist(), strict=True)]

    assert done.returncode == 0, done.stderr
    scores = [line.split(",")[1] for line in out.read_text().splitlines()[1:]]
    assert scores == ["" if score is None else repr(score) for score in expected]
