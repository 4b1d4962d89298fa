"""A model as a C header: what a compiler reads is what the file holds."""

import shutil
import subprocess

import numpy as np
import pytest
from edgelstm.runtime import load_bundle
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.interpreter import TFLiteModel

from edgelstm.deployment.c_header import c_header

PROGRAM = r"""
#include "pump.h"
#include <stdio.h>
int main(void) {
  for (int i = 0; i < PUMP_CHANNELS; i++)
    printf("%s %.9g %.9g %.9g ", pump_channels[i], pump_scaler_offset[i], pump_scaler_scale[i], pump_score_scale[i]);
  printf("%d %d %d %.9g %.9g %d ", PUMP_WINDOW, PUMP_HORIZON, PUMP_STREAMING, PUMP_THRESHOLD, PUMP_INPUT_SCALE, PUMP_INPUT_ZERO_POINT);
  printf("%d %d\n", (int)sizeof(pump_input_t), (int)sizeof(pump_output_t));
  fwrite(pump_model, 1, pump_model_len, stdout);
  return ((uintptr_t)pump_model) % 16 != 0 || PUMP_ARENA_BYTES < 0 || pump_score_center[0] < 0;
}
"""


@pytest.mark.parametrize("name", ["auto.int8", "cast.float32"])
@pytest.mark.parametrize("compiler", ["gcc -std=c11 -x c", "g++ -std=c++11 -x c++"])
def test_the_compiled_header_holds_the_file(models, tmp_path, name, compiler):
    program, *options = compiler.split()
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")
    bundle = load_bundle(models / f"{name}.tflite")
    (tmp_path / "pump.h").write_text(c_header(bundle, "pump"))
    (tmp_path / "main.c").write_text(PROGRAM)
    checks = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-variable", "-o", "main", "main.c"]
    done = subprocess.run([program, *options, *checks], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    line, _, model = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout.partition(b"\n")

    metadata, entry = bundle.metadata, TFLiteModel(bundle.flatbuffer).inputs[0]
    exit_ = TFLiteModel(bundle.flatbuffer).outputs[0]
    expected = [
        value
        for number, channel in enumerate(metadata.names)
        for value in (channel, metadata.scaler.offset[number], metadata.scaler.scale[number], metadata.scoring.scale[number])
    ] + [metadata.window, metadata.horizon, 0, metadata.threshold.value, entry.scale, entry.zero_point] + [
        entry.dtype.itemsize, exit_.dtype.itemsize
    ]  # fmt: skip
    found = line.decode().split()

    assert model == bundle.flatbuffer
    assert len(found) == len(expected)
    for value, wanted in zip(found, expected, strict=True):
        assert (
            value == wanted if isinstance(wanted, str) else float(value) == pytest.approx(np.float32(wanted), rel=1e-6)
        )


def test_channel_names_cannot_break_out_of_the_header(models):
    bundle = load_bundle(models / "auto.int8.tflite")
    first, *others = bundle.metadata.channels
    odd = type(first)('a"; int x = 1; "\\\n é')
    changed = type(bundle)(bundle.flatbuffer, bundle.metadata.with_(channels=(odd, *others)))

    assert '{"a_; int x = 1; ___ _", "flow_lpm"}' in c_header(changed, "pump")


def test_a_model_with_a_calendar_has_no_header(models):
    with pytest.raises(ConversionError, match="without --calendar"):
        c_header(load_bundle(models / "week.int8.tflite"), "week")
