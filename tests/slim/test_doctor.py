"""Findings of `edgelstm doctor` about machines and models: a fault comes with its remedy, and what will do is called so."""

import platform
import sys
import time
from dataclasses import replace
from importlib import metadata

import numpy as np
import pytest
from edgelstm.runtime.diagnostics import doctor
from edgelstm.runtime.diagnostics.finding import FAIL, OK, WARN
from edgelstm.runtime.inference.flatbuffer.summary import read_graph
from edgelstm.runtime.model_file.bundle import load_bundle, parse_bundle

NOW = time.time()


def machine(monkeypatch, name="x86_64", bits=64, python=(3, 11)):
    """Let this machine be another one."""
    monkeypatch.setattr(platform, "machine", lambda: name)
    monkeypatch.setattr(sys, "maxsize", 2 ** (bits - 1) - 1)
    monkeypatch.setattr(sys, "version_info", (*python, 0))


def installed(monkeypatch, **versions):
    """Let these distributions be the only ones."""

    def version(name):
        try:
            return versions[name.replace("-", "_")]
        except KeyError:
            raise metadata.PackageNotFoundError(name) from None

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.parametrize(
    ("python", "name", "bits", "status"),
    [
        ((3, 9), "x86_64", 64, FAIL),
        ((3, 10), "x86_64", 64, OK),
        ((3, 13), "aarch64", 64, OK),
        ((3, 14), "x86_64", 64, FAIL),
        ((3, 12), "armv7l", 32, FAIL),
        ((3, 11), "armv7l", 32, OK),
    ],
)
def test_a_python_without_interpreter_wheels_is_told(monkeypatch, python, name, bits, status):
    machine(monkeypatch, name, bits, python)
    finding = doctor.check_python()

    assert finding.status == status
    assert bool(finding.remedy) == (status != OK)


@pytest.mark.parametrize(
    ("name", "bits", "status", "words"),
    [
        ("armv6l", 32, FAIL, "Pi Zero"),
        ("aarch64", 32, WARN, "64-bit Raspberry Pi OS"),
        ("aarch64", 64, OK, ""),
        ("x86_64", 64, OK, ""),
    ],
)
def test_an_architecture_without_an_interpreter_is_told(monkeypatch, name, bits, status, words):
    machine(monkeypatch, name, bits)
    finding = doctor.check_platform()

    assert finding.status == status
    assert words in finding.remedy
    assert f"{name}, {bits}-bit Python" in finding.detail


@pytest.mark.parametrize(
    ("name", "libc", "status", "words"),
    [
        ("x86_64", ("glibc", "2.27"), OK, "glibc 2.27"),
        ("x86_64", ("glibc", "2.26"), FAIL, "2.27 needed"),
        ("aarch64", ("glibc", "2.31"), FAIL, "2.34 needed"),
        ("aarch64", ("glibc", "2.36"), OK, "glibc 2.36"),
        ("x86_64", ("", ""), WARN, "unknown"),
        ("x86_64", ("musl", "1.2"), WARN, "musl 1.2"),
    ],
)
def test_a_c_library_that_is_too_old_or_another_is_told(monkeypatch, name, libc, status, words):
    machine(monkeypatch, name)
    finding = doctor.check_libc(libc)

    assert (finding.status, words in finding.detail) == (status, True)


def test_a_numpy_that_tflite_runtime_does_not_bear_is_told(monkeypatch):
    monkeypatch.setattr(np, "__version__", "2.1.0")
    installed(monkeypatch, tflite_runtime="2.14.0")
    alone = doctor.check_numpy()
    installed(monkeypatch, tflite_runtime="2.14.0", ai_edge_litert="2.1.0")

    assert (alone.status, alone.remedy) == (FAIL, "pip install 'numpy<2'")
    assert doctor.check_numpy().status == OK


def test_an_interpreter_of_300_megabytes_is_told(monkeypatch):
    installed(monkeypatch, ai_edge_litert="2.0.3")
    finding = doctor.check_interpreter()

    assert (finding.status, "289 MB" in finding.detail) == (WARN, True)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    gone = tmp_path / "gone"

    assert doctor.check_folder(tmp_path).status == OK
    assert list(tmp_path.iterdir()) == []
    assert (doctor.check_folder(gone).status, "chown" in doctor.check_folder(gone).remedy) == (FAIL, True)
    assert doctor.check_space(gone).status == WARN


def test_a_full_card_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_FREE_MB", 1e12)

    assert doctor.check_space(tmp_path).status == FAIL
    assert "MB free" in doctor.check_space(tmp_path).detail


def test_a_clock_of_1970_is_told():
    early = doctor.check_clock(12.0)

    assert (early.status, early.detail) == (FAIL, "it shows 1970-01-01T00:00:12Z")
    assert doctor.check_clock(NOW).status in (OK, WARN)  # a machine may be without a synchronized clock


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, OK, "threshold"),
        ({"kind": "classifier"}, WARN, "a classifier gives no anomaly scores"),
        ({"scoring": None}, FAIL, "no score statistics"),
        ({"threshold": None}, FAIL, "no threshold"),
        ({"sections": {"forecast": {}}, "horizon": 4}, OK, "4 rows ahead"),
    ],
)
def test_a_model_that_raises_no_alarms_is_told(models, change, status, words):
    bundle = load_bundle(models / "auto.int8.tflite")
    (finding,) = doctor._usable(replace(bundle, metadata=bundle.metadata.with_(**change)))

    assert (finding.status, words in finding.detail) == (status, True)


def test_operations_that_an_interpreter_lacks_are_told(models):
    graph = read_graph(parse_bundle((models / "auto.int8.tflite").read_bytes()).flatbuffer)
    op = graph.ops[0]
    flex = replace(graph, ops=(replace(op, name="FlexTensorListReserve"),))
    newer = replace(graph, ops=(replace(op, name="FULLY_CONNECTED", version=12),))

    assert doctor._check_ops(graph).status == OK
    assert (doctor._check_ops(flex).status, "TensorFlow ops" in doctor._check_ops(flex).detail) == (FAIL, True)
    assert "FULLY_CONNECTED version 12 is newer" in doctor._check_ops(newer).detail
    assert doctor._check_ops(newer).status in (WARN, FAIL)  # by the interpreter that is here


def test_a_file_that_is_no_model_ends_the_checks_of_the_model(tmp_path):
    (tmp_path / "m.tflite").write_bytes(b"no model")
    findings = doctor.examine(tmp_path / "m.tflite", tmp_path)

    assert [finding.check for finding in findings].count("model") == 1
    assert (findings[-1].check, findings[-1].status) == ("model", FAIL)
    assert "m.tflite is not a TFLite model" in findings[-1].detail
