"""Bad input is one clear error: the rule, what came, what to do; no traceback, and nothing half written."""

import os
import resource
import signal

import pytest
from commands import refused, refused_here

from edgelstm.tensorflow import load_tensorflow

load_tensorflow()

import keras  # noqa: E402


def test_missing_files_are_named(way, tmp_path):
    assert "gone.csv" in refused("train", tmp_path / "gone.csv", "-o", tmp_path / "m.keras")
    assert "gone.keras" in refused("convert", tmp_path / "gone.keras")
    assert "gone.tflite" in refused("run", tmp_path / "gone.tflite", way / "faults.csv")
    assert "gone.csv" in refused("run", way / "pump.int8.tflite", tmp_path / "gone.csv")


def test_a_wrong_channel_count_names_the_channels(way, tmp_path):
    (tmp_path / "two.csv").write_text("a,b\n1,2\n3,4\n")

    assert "motor_current_a" in refused("run", way / "pump.int8.tflite", tmp_path / "two.csv")


@pytest.mark.parametrize("keep", [10, 3000, -40])
def test_a_truncated_model_is_refused(way, tmp_path, keep):
    (tmp_path / "cut.tflite").write_bytes((way / "pump.int8.tflite").read_bytes()[:keep])

    refused("run", tmp_path / "cut.tflite", way / "faults.csv")


def test_a_flipped_byte_is_found(way, tmp_path):
    content = bytearray((way / "pump.int8.tflite").read_bytes())
    content[2000] ^= 0xFF
    (tmp_path / "bad.tflite").write_bytes(bytes(content))

    assert "damaged" in refused("run", tmp_path / "bad.tflite", way / "faults.csv")


def test_a_keras_file_that_is_none_is_refused(way, tmp_path):
    (tmp_path / "no.keras").write_bytes(b"hello")

    assert "not a Keras model file" in refused_here("convert", tmp_path / "no.keras")


@pytest.mark.parametrize("command", ["convert", "shrink", "report"])
def test_a_converted_model_is_named_as_such_where_keras_is_wanted(way, command):
    error = refused_here(command, way / "pump.int8.tflite")

    assert "is a TFLite model, converted already" in error
    assert "Name the .keras file that it was made from" in error


def run_code(inputs):
    """Code that a stranger's file might run when it is loaded."""
    open("ran", "w").close()
    return inputs


def test_a_lambda_layer_is_not_run(way, tmp_path, monkeypatch):
    layers = [keras.Input((10, 5)), keras.layers.Lambda(run_code), keras.layers.LSTM(4)]
    keras.Sequential(layers).save(tmp_path / "code.keras")
    (tmp_path / "ran").unlink(missing_ok=True)

    monkeypatch.chdir(tmp_path)

    said = refused_here("convert", tmp_path / "code.keras", "--calibration", way / "normal.csv")

    assert "Lambda" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code.keras"]


def test_too_little_data_is_said_before_training(tmp_path):
    (tmp_path / "short.csv").write_text("a,b\n" + "1,2\n3,4\n" * 10)

    assert "at least 50 windows" in refused_here("train", tmp_path / "short.csv", "-o", tmp_path / "m.keras")
    assert not (tmp_path / "m.keras").exists()


def test_a_missing_folder_is_said_at_once(way, tmp_path):
    assert "folder" in refused_here("train", way / "normal.csv", "-o", tmp_path / "none/m.keras")


def small_files(most=2048):
    """Limits the size of files, before a program starts: stands for a full disk, as root may write everywhere else."""

    def prepare():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return prepare


@pytest.mark.parametrize("command", ["score", "train", "convert"])
def test_a_full_disk_leaves_nothing_half_written(way, tmp_path, command):
    """Conversions work in the folder for temporary files, which is full, too."""
    words = {
        "score": ("score", way / "pump.int8.tflite", way / "faults.csv", "-o", tmp_path / "scores.csv"),
        "train": ("train", way / "normal.csv", "-o", tmp_path / "m.keras", "--epochs", "1", "--lookback", "8"),
        "convert": ("convert", way / "pump.keras", "--int8", "-o", tmp_path / "m.tflite"),
    }[command]
    # without coverage's own data file, which would not fit on the disk either
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    said = refused(*words, preexec_fn=small_files(), env={**environment, "TMPDIR": str(tmp_path)})

    assert "cannot" in said.lower()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_no_permission_is_a_clear_error(tmp_path):
    from edgelstm.runtime.errors import OutputError
    from edgelstm.runtime.io.atomic_files import write_atomic

    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            write_atomic(tmp_path / "x", b"1")
        except OutputError:
            os._exit(7)
        os._exit(8)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "m.keras", "-o", "m.keras"),
        ("convert", "m.keras", "--calibration", "d.csv", "-o", "./d.csv"),
        ("train", "d.csv", "-o", "d.keras"),
        ("train", "states", "d.csv", "-o", "d.keras"),
        ("train", "forecaster", "d.csv", "--target", "flow_lpm", "-o", "d.keras"),
        ("shrink", "m.keras", "--data", "d.csv", "-o", "d.csv"),
        ("search", "d.csv", "--study", "d.csv"),
        ("shrink", "m.keras", "--data", "d.csv", "--widths", "report", "-o", "s.keras"),
        ("report", "m.keras", "--data", "report/report.csv"),
        ("report", "m.keras", "--data", "d.csv", "-o", "converted"),
        ("report", "m.keras", "--data", "d.csv", "--widths", "narrow", "-o", "widths"),
        ("evaluate", "m.keras", "d.csv", "-o", "d.csv"),
        ("card", "m.keras", "-o", "m.keras"),
    ],
    ids=" ".join,
)
def test_an_output_that_is_an_input_is_refused(way, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    model, data = (way / "pump.keras").read_bytes(), (way / "faults.csv").read_bytes()
    (tmp_path / "m.keras").write_bytes(model)
    (tmp_path / "d.csv").write_bytes(data)
    (tmp_path / "d.keras").symlink_to("d.csv")
    (tmp_path / "report").mkdir()
    os.link("d.csv", "report/report.csv")
    os.link("d.csv", "report/m.u9-9.keras")
    for folder in ("converted", "narrow", "widths"):
        (tmp_path / folder).mkdir()
    os.link("m.keras", "converted/m.int8.tflite")
    os.link("m.keras", "narrow/m.u4-4.keras")
    os.link("m.keras", "widths/m.u4-4.int8.tflite")

    assert "it is the input" in refused_here(*words)
    assert (tmp_path / "m.keras").read_bytes() == model
    assert (tmp_path / "d.csv").read_bytes() == data


@pytest.mark.parametrize(
    "words",
    [
        ("train", "PIPE", "-o", "out.keras"),
        ("train", "intents", "PIPE", "-o", "out.keras"),
        ("report", "MODEL", "--data", "PIPE", "-o", "out"),
        ("search", "PIPE"),
        ("convert", "MODEL", "--calibration", "PIPE", "-o", "out.tflite"),
        ("shrink", "MODEL", "--data", "PIPE", "-o", "out.keras"),
    ],
    ids=" ".join,
)
def test_a_pipe_is_refused_where_rows_are_read_several_times(way, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    places = {"PIPE": "pipe", "MODEL": way / "pump.keras"}

    assert "pipe can be read only once" in refused_here(*(places.get(word, word) for word in words))
    assert os.listdir() == ["pipe"]
