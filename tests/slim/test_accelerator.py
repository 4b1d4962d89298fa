"""Accelerators: a delegate is checked against the CPU before it is trusted, and given up when it fails."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_helpers import edgelstm, edgelstm_here, lines
from edgelstm.runtime import Detector
from edgelstm.runtime.error_stream import open_engine
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.inference.accelerator import Accelerator
from edgelstm.runtime.inference.backend import backend
from edgelstm.runtime.model_file.accelerator_trial import compare_with_cpu, comparison_of, trusted
from edgelstm.runtime.model_file.bundle import load_bundle

SOURCE = Path(__file__).parent / "accelerator.c"
TENSOR_SIZE = "112"  # of LiteRT 2 and tflite-runtime 2.14 on 64 bits
pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or backend().name != "ai-edge-litert", reason="needs a C compiler and LiteRT"
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("accelerator") / "libtest_delegate.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", path, SOURCE], check=True)
    return path


@pytest.fixture(scope="module", params=["auto.int8.tflite", "auto.float32.tflite"])
def bundle(request, models):
    return load_bundle(models / request.param)


def scores(detector, rows=80):
    generator = np.random.default_rng(3)
    middle = [(c.train_low + c.train_high) / 2 for c in detector.metadata.channels]
    return [detector.update(generator.normal(middle, 1.0)).score or 0.0 for _ in range(rows)]


def test_a_delegate_that_agrees_is_trusted_and_gives_the_same_scores(library, bundle):
    accelerator = trusted(bundle, f"{library}?mode=copy&tensor_size={TENSOR_SIZE}")
    accelerated = Detector(bundle.metadata, open_engine(bundle, accelerator=accelerator))
    names = [op["op_name"] for op in accelerated.engine.model.interpreter._get_ops_details()]

    assert "DELEGATE" in names
    assert scores(accelerated) == pytest.approx(scores(Detector.from_bundle(bundle)), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (f"mode=wrong&tensor_size={TENSOR_SIZE}", "outputs differ"),
        ("mode=refuse", "cannot load this model"),
        ("mode=crash", "SIGABRT"),
        ("color=red", "no such option"),
    ],
)
def test_a_delegate_that_does_not_work_is_left_out_with_a_warning(library, models, caplog, options, reason):
    bundle = load_bundle(models / "auto.int8.tflite")

    assert trusted(bundle, f"{library}?{options}") is None
    assert reason in caplog.text
    assert "runs on the CPU" in caplog.text


def test_a_library_that_is_not_there_is_left_out(models, caplog):
    bundle = load_bundle(models / "auto.int8.tflite")

    assert trusted(bundle, "libnone.so") is None
    assert "libnone.so" in caplog.text


def test_a_delegate_that_fails_at_work_is_given_up_for_the_cpu(library, bundle, caplog):
    failing = Accelerator(str(library), {"mode": "copy", "calls": "10", "tensor_size": TENSOR_SIZE})
    detector = Detector(bundle.metadata, open_engine(bundle, accelerator=failing))

    assert scores(detector) == pytest.approx(scores(Detector.from_bundle(bundle)), rel=1e-5)
    assert caplog.text.count("has failed, the CPU goes on") == 1
    assert detector.engine.model.accelerator is None


def test_a_streaming_model_is_not_put_on_a_delegate(library, models):
    with pytest.raises(ConfigError, match="keeps its state"):
        compare_with_cpu(load_bundle(models / "flow.stream.int8.tflite"), Accelerator(str(library), {"mode": "idle"}))


def test_a_tenth_of_a_deviation_is_allowed(bundle):
    comparison = comparison_of(bundle, Accelerator("x.so"))

    assert comparison.tolerance == pytest.approx(0.1 * np.asarray(bundle.metadata.scoring.scale))
    assert comparison.from_json(comparison.to_json()) == comparison


def test_a_model_without_known_ranges_is_compared_on_0_to_1(bundle):
    """Models from elsewhere may have no scaler, and channels whose values of training nobody noted."""
    channels = len(bundle.metadata.channels)
    unknown = tuple(replace(channel, train_low=None) for channel in bundle.metadata.channels)
    for change in ({"scaler": None}, {"channels": unknown}):
        comparison = comparison_of(replace(bundle, metadata=bundle.metadata.with_(**change)), Accelerator("x.so"))

        assert (comparison.low, comparison.high) == ((0.0,) * channels, (1.0,) * channels)


def test_no_library_is_an_error():
    with pytest.raises(ConfigError, match="names a library"):
        Accelerator.parse("?mode=idle")


def test_run_scores_on_a_delegate_from_a_table_of_the_configuration(library, models, tmp_path):
    table = {"library": str(library), "mode": "copy", "tensor_size": int(TENSOR_SIZE)}
    config = tmp_path / "pump.toml"
    config.write_text(
        f'model = "{models / "auto.int8.tflite"}"\nsource = "{models / "stream.csv"}"\nstate-dir = "{tmp_path}"\n'
        "delegate = { " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + " }\n"
    )
    plain = edgelstm("run", models / "auto.int8.tflite", models / "stream.csv", "--scores")
    accelerated = edgelstm("run", "--config", config, "--scores")

    assert lines(accelerated.stdout) == lines(plain.stdout)
    assert accelerated.returncode == 0


def test_run_goes_on_on_the_cpu_when_the_delegate_is_wrong(library, models):
    delegate = f"{library}?mode=wrong&tensor_size={TENSOR_SIZE}"
    done = edgelstm("run", models / "auto.int8.tflite", models / "stream.csv", "--scores", "--delegate", delegate)

    assert done.returncode == 0
    assert len(lines(done.stdout)) == 600
    assert "runs on the CPU, not on" in done.stderr


def test_a_comparison_that_fails_says_by_how_much(library, models):
    wrong = Accelerator(str(library), {"mode": "wrong", "tensor_size": TENSOR_SIZE})

    with pytest.raises(ModelError, match="times what is allowed"):
        compare_with_cpu(load_bundle(models / "auto.float32.tflite"), wrong)


@pytest.mark.slow(reason="models are measured in processes of their own")
def test_bench_measures_a_model_on_a_delegate(library, models):
    delegate = f"{library}?mode=copy&tensor_size={TENSOR_SIZE}"
    done = edgelstm_here("bench", models / "auto.int8.tflite", "--seconds", "0.05", "--json", "--delegate", delegate)

    assert json.loads(done.stdout)[0]["latency"]["calls"] >= 20
