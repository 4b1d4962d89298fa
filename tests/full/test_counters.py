"""Counters as differences, in training and on the device by the same code."""

import json
import math
import random

import numpy as np
import pytest
from commands import here, refused_here
from edgelstm.runtime.errors import ModelError, SeriesError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.sources import Columns, Sample, open_file
from edgelstm.runtime.sources.counter_steps import Increments, Totals
from edgelstm.runtime.sources.counters import Counters
from edgelstm.runtime.sources.iterable import IterableSource
from edgelstm.runtime.sources.model_rows import ModelRows
from edgelstm.runtime.sources.registry import on_grid
from edgelstm.runtime.sources.resampling import Resampling

from edgelstm.data.counter_wraps import Steps, wrap_of
from edgelstm.data.series import read_for_model, read_series

START = 1_700_000_040.0
POWER = 400 + 150 * np.sin(np.arange(900) / 10)
ENERGY = np.cumsum(POWER) / 60


def write(path, energy, times=None, power=POWER):
    times = START + 60 * np.arange(len(energy)) if times is None else times
    rows = [f"{at!r},{a!r},{b!r}" for at, a, b in zip(times.tolist(), power.tolist(), energy.tolist(), strict=True)]
    path.write_text("\n".join(["time,power,energy", *rows]).replace("nan", "") + "\n")
    return path


def metadata(series):
    channels = tuple(map(Channel, series.channels))
    return Metadata("generic", 8, period=series.period, channels=channels, sections=series.sections)


def totals(readings, wrap=None, times=None):
    stage = Totals(Counters({"n": wrap}), ["n"])
    times = [10.0 * at for at in range(len(readings))] if times is None else times
    return [stage.push(at, [reading])[0] for at, reading in zip(times, readings, strict=True)]


@pytest.mark.parametrize("bits", [16, 32])
def test_wraps_of_16_and_32_bits_are_invisible(bits):
    true = 2.0**bits - 500 + 70 * np.arange(20)

    assert totals((true % 2.0**bits).tolist()) == true.tolist()


def test_a_declared_range_is_wrapped_exactly():
    true = 99_800 + 70.0 * np.arange(20)

    assert totals((true % 100_000).tolist(), wrap=100_000.0) == true.tolist()


def growth(readings, wrap=None):
    stage = ModelRows(Columns(("n",), counters=Counters({"n": wrap}, 10.0)))
    samples = [Sample([reading], 10.0 * row, row) for row, reading in enumerate(readings)]
    return [row.values[0] for row in stage.samples(samples)]


@pytest.mark.parametrize(
    ("readings", "wrap"),
    [
        ([100.0, 110.0, 120.0, 4.0, 14.0, 24.0], None),  # a reset
        ([65_000.0, 65_010.0, 65_020.0, 4.0, 14.0, 24.0], None),  # one near a wrap
        ([29_979.0, 29_986.0, 29_996.0, 6.0, 16.0, 26.0], None),  # a wrap that nobody declared
        ([5000.0, 5010.0, 5020.0, 3000.0, 3010.0, 3020.0], 100_000.0),  # another meter
    ],
)
def test_a_fall_that_no_known_wrap_explains_is_one_missing_value_and_counting_goes_on(readings, wrap):
    made = growth(readings, wrap)

    assert np.flatnonzero(np.isnan(made)).tolist() == [0, 3]
    assert made[4:] == pytest.approx([10.0, 10.0])


def test_no_mean_over_an_interval_hides_an_unknown_fall():
    """A total falls so far that each interval that holds some of both counts is missing, and none is wrong."""
    grid = Resampling(60.0, 60.0)
    stage = ModelRows(Columns(("n",), resampling=grid, counters=Counters({"n": None}, 60.0)))
    readings = np.r_[7.0 * np.arange(1000), 7.0 * np.arange(1000)]  # every second; it begins at 0 again at once
    samples = [Sample([reading], START + row, row) for row, reading in enumerate(readings.tolist())]
    made = np.array([row.values[0] for row in stage.samples(samples)])

    whole = made[2:-1]  # without the intervals that the readings do not fill

    assert 0 < np.isnan(whole).sum() <= 2
    assert np.allclose(whole[np.isfinite(whole)], 420)


def test_late_readings_change_nothing_and_a_clock_that_is_set_back_is_followed():
    late = totals([10.0, 20.0, 15.0, 30.0], times=[0.0, 10.0, 5.0, 20.0])
    back = totals([10.0, 20.0, *(21.0 + at for at in range(6))], times=[0.0, 10.0, *(-100.0 + at for at in range(6))])

    assert math.isnan(late[2])
    assert late[3] == 30.0
    assert np.isnan(back[2:6]).all()
    assert back[6:] == [25.0, 26.0]


def test_no_growth_is_invented_over_random_resets_and_wraps():
    chance = random.Random(1)
    reading, readings, steps = 60_000.0, [60_000.0], [math.nan]
    for at in range(1, 3000):
        step = chance.uniform(5, 15)
        reading = step if at % 1000 == 700 else (reading + step) % 65_536
        readings.append(reading)
        steps.append(math.nan if at % 1000 == 700 else step)

    assert growth(readings) == pytest.approx(steps, rel=1e-4, nan_ok=True)


def test_growth_over_missing_rows_is_shared_and_early_rows_do_not_take_it_away():
    stage = Increments(Counters({"n": None}, period=10.0), ["n"])
    rows = ((0.0, 0.0), (10.0, 5.0), (13.0, 6.5), (20.0, 10.0), (30.0, math.nan), (40.0, 20.0))

    assert [stage.push(at, [total])[0] for at, total in rows] == pytest.approx(
        [math.nan, 5.0, 5.0, 5.0, math.nan, 5.0], nan_ok=True
    )


def test_without_times_rows_are_counted():
    stage = ModelRows(Columns(("n",), counters=Counters({"n": None})))
    samples = [Sample([value], None, row) for row, value in enumerate([1.0, 3.0, math.nan, 7.0])]

    assert [row.values[0] for row in stage.samples(samples)] == pytest.approx(
        [math.nan, 2.0, math.nan, 2.0], nan_ok=True
    )


def test_training_and_device_read_the_same_growth(tmp_path):
    wrapped = ENERGY % 4000
    wrapped[300:302] = np.nan
    path = write(tmp_path / "a.csv", wrapped)
    series = read_series([path], counters=Counters({"energy": 4000.0}))

    device = np.array([sample.values for sample in open_file(path, Columns.of(metadata(series)))])
    again = read_for_model(metadata(series), path)

    assert series.sections["counters"] == {"wraps": {"energy": 4000.0}, "period": 60.0}
    assert json.loads(json.dumps(series.sections)) == series.sections
    assert np.array_equal(series.values, again.values, equal_nan=True)
    known = np.isfinite(device[:, 1])
    assert np.flatnonzero(~known).tolist() == [0, 300, 301]
    assert np.array_equal(device[known], series.values[known])
    assert np.allclose(series.values[1:300, 1], POWER[1:300] / 60)
    assert any("wrapped" in note for note in series.repairs.notes)


def test_rows_out_of_order_are_sorted_first(tmp_path):
    times = START + 60 * np.arange(len(ENERGY))
    order = np.arange(len(ENERGY))
    order[[50, 51]] = [51, 50]
    path = write(tmp_path / "a.csv", ENERGY[order], times[order], POWER[order])

    series = read_series([path], counters=Counters({"energy": None}))

    assert np.allclose(series.values[1:, 1], POWER[1:] / 60)


def test_on_a_grid_the_total_is_resampled_and_then_its_growth_is_taken(tmp_path):
    chance = np.random.default_rng(3)
    times = START + np.cumsum(chance.exponential(60, 3000)).round(3)
    energy = (times - START) / 10 % 65_536  # a growth of 0.1 a second, wrapping nowhere but at the reset below
    energy[1500:] -= energy[1499]
    path = write(tmp_path / "a.csv", energy, times, chance.normal(size=3000))

    series = read_series([path], counters=Counters({"energy": None}))
    device = np.array([sample.values for sample in open_file(path, Columns.of(metadata(series)))])

    assert series.resampling is not None
    assert series.counters.period == series.resampling.period
    assert np.nanmean(device[:, 1]) == pytest.approx(series.resampling.period / 10, rel=0.02)
    assert np.nanmin(device[:, 1]) >= 0


def test_live_sources_count_too():
    columns = Columns(("n",), counters=Counters({"n": None}, 1.0))
    readings = [65_530.0, 65_535.0, 4.0, 9.0]
    source = on_grid(IterableSource([(float(at), [value]) for at, value in enumerate(readings)]), columns)

    assert [sample.values[0] for sample in source][1:] == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    "section", [[], {"wraps": 3}, {"wraps": {"n": "x"}}, {"wraps": {"n": -1}}, {"wraps": {}, "period": 0}]
)
def test_a_damaged_section_is_refused(section):
    with pytest.raises(ModelError, match=r"counter|Growth"):
        Counters.of({"counters": section})


def test_a_counter_that_is_no_channel_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", ENERGY)

    with pytest.raises(SeriesError, match="The counter flow is no channel; channels are power, energy"):
        read_series([path], counters=Counters({"flow": None}))
    assert "flow" in refused_here("train", path, "-o", tmp_path / "a.keras", "--counter", "flow:65536")


def test_a_wrap_that_nobody_declared_or_saw_raises_no_alarm_and_a_fault_does(tmp_path):
    noise = np.random.default_rng(1).normal(size=2400)
    power = 400 + 150 * np.sin(np.arange(2400) / 10) + 15 * noise
    energy = np.cumsum(power) / 60
    later = power[1600:].copy()
    train = write(tmp_path / "a.csv", energy[:1600], power=power[:1600])
    here("train", train, "-o", tmp_path / "a.keras", "--kind", "linear", "--counter", "energy")
    here("convert", tmp_path / "a.keras", "-o", tmp_path / "a.tflite", "--scheme", "float32")

    wrapped = write(tmp_path / "w.csv", energy[1600:] % 13_000, power=later)
    quiet = here("run", tmp_path / "a.tflite", wrapped)
    faulty = np.cumsum(np.where(np.arange(800) // 60 == 6, later * 0.3, later)) / 60
    alarmed = here("run", tmp_path / "a.tflite", write(tmp_path / "f.csv", faulty, power=later))

    assert (np.diff(energy[1600:] % 13_000) < 0).any()
    assert '"kind":"anomaly"' not in quiet.stdout.replace(" ", "")
    events = [json.loads(line) for line in alarmed.stdout.splitlines() if line.startswith("{")]
    assert any(event["kind"] == "anomaly" and "energy" in str(event.get("channels")) for event in events)


@pytest.mark.parametrize("wrap", [4000.0, 30_000.0, 65_536.0, 100_000.0, 2.0**24])
@pytest.mark.parametrize("wraps", [1, 4])
def test_a_wrap_that_training_saw_is_learned(wrap, wraps):
    steps = np.random.default_rng(2).uniform(0, wrap / 2000, round((wraps + 0.4) * 4000))
    column = np.cumsum(steps) % wrap

    assert len(Steps.of(column).falls) == wraps
    assert wrap_of(Steps.of(column)) == wrap


@pytest.mark.parametrize("resets", [(2500,), (1000, 2500), (300, 1000, 2900)])
def test_resets_are_no_wrap(resets):
    column = np.cumsum(np.random.default_rng(0).uniform(0, 7, 3000))
    for row in resets:
        column[row:] -= column[row - 1]

    assert wrap_of(Steps.of(column)) is None


def test_one_fall_that_a_round_number_explains_by_chance_is_no_wrap():
    column = np.r_[np.arange(0.0, 87.0, 7), np.arange(0.0, 50.0, 7)]  # any range of 7 holds a round number below 100

    assert wrap_of(Steps.of(column)) is None


def test_a_learned_wrap_is_said_and_kept_for_the_device(tmp_path):
    path = write(tmp_path / "a.csv", ENERGY % 4000)
    series = read_series([path], counters=Counters({"energy": None}))
    device = [sample.values[1] for sample in open_file(path, Columns.of(metadata(series)))]

    assert series.sections["counters"]["wraps"] == {"energy": 4000.0}
    assert any("energy begins at 0 again at 4000, as 1 fall shows" in note for note in series.repairs.notes)
    assert np.allclose(device[1:], POWER[1:] / 60)


@pytest.mark.parametrize(("energy", "option"), [(ENERGY, "--counter energy"), (ENERGY % 4000, "--counter energy:4000")])
def test_a_channel_that_looks_like_a_counter_is_named_with_the_option(tmp_path, energy, option):
    notes = read_series([write(tmp_path / "a.csv", energy)]).repairs.notes

    assert [note for note in notes if note.startswith("Warning: energy only grows") and note.endswith(option)]
    assert not [note for note in notes if "power" in note]


def test_channels_that_rise_and_fall_are_not_called_counters(tmp_path):
    sawtooth = np.arange(900.0) % 20  # a batch process
    drifting = np.cumsum(np.random.default_rng(0).normal(0.1, 1, 900))
    for name, channel in (("saw", sawtooth), ("drift", drifting), ("constant", np.full(900, 3.0))):
        notes = read_series([write(tmp_path / f"{name}.csv", channel)]).repairs.notes

        assert not any("only grows" in note for note in notes)
