"""The embedded pump: made by the simulator byte for byte, and true to its stated physics."""

import csv
from pathlib import Path

import numpy as np
import pytest
from edgelstm.calibration_data import simulator

from edgelstm import calibration_data

FOLDER = Path(__file__).parents[2] / "calibration_data"
Z_LIMIT = 3.5


def table(name):
    """Columns of a shipped file as arrays."""
    rows = list(csv.DictReader(FOLDER.joinpath(name).read_text().splitlines()))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def channels(columns):
    return np.column_stack([columns[name].astype(float) for name in simulator.CHANNELS])


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.csv")), ids=lambda path: path.name)
def test_the_installed_package_writes_the_bytes_of_the_repository(path, tmp_path):
    assert calibration_data.write(path.name, tmp_path).read_bytes() == path.read_bytes()


def test_flow_and_pressure_lie_on_the_pump_curve():
    """H = H0 n² − a Q²: at full speed no reading lies above the curve, and none of the running pump at zero."""
    run = simulator.simulate(4000, seed=5)
    _, flow, head, _, _ = run.truth.T

    assert np.all(head <= simulator.SHUT_OFF - simulator.PUMP_SLOPE * flow**2 + 1e-6)
    assert np.corrcoef(flow**2, head)[0, 1] > 0.9


def test_current_follows_hydraulic_power():
    run = simulator.simulate(4000, seed=5)
    current, flow, head, _, _ = run.truth[50:].T
    running = (flow > 20) & (current > 1.0)
    # the pump curve gives the speed, the speed the idle power
    speed = np.sqrt((head + simulator.PUMP_SLOPE * flow**2) / simulator.SHUT_OFF)
    power = simulator.IDLE_POWER * speed**3 + flow * head / 60 / simulator.EFFICIENCY

    slope, standby = np.polyfit(power[running], current[running], 1)

    assert slope == pytest.approx(simulator.CURRENT_PER_WATT, rel=1e-3)
    assert standby == pytest.approx(simulator.STANDBY, abs=1e-3)


def test_the_bearing_cools_with_the_stated_time_constant():
    run = simulator.simulate(6000, seed=simulator.NORMAL[1])
    current, temperature = run.truth[:, 0], run.truth[:, 4]
    off = np.flatnonzero((current[:-61] < 0.06) & (current[60:-1] < 0.06))
    start = next(row for row in off if np.all(current[row : row + 60] < 0.06))
    decay = temperature[start : start + 60] - simulator.AMBIENT
    lag = -1 / np.polyfit(np.arange(60), np.log(decay), 1)[0]

    assert lag == pytest.approx(simulator.THERMAL_LAG, rel=0.35)  # the ambient swings by 1.5 degrees


def test_a_z_score_on_single_rows_misses_at_least_two_fault_kinds():
    """A kind is found when more than a tenth of its rows have some channel beyond 3.5 deviations of normal."""
    normal, faulty = channels(table("pump_normal.csv")), table("pump_faults.csv")
    z = np.abs((channels(faulty) - normal.mean(axis=0)) / normal.std(axis=0)).max(axis=1)
    found = {kind: np.mean(z[faulty["fault"] == kind] > Z_LIMIT) > 0.1 for kind in simulator.FAULTS}

    assert sum(not hit for hit in found.values()) >= 2


def test_every_fault_kind_is_labelled():
    faulty = table("pump_faults.csv")

    assert set(faulty["fault"]) - {""} == set(simulator.FAULTS)
    assert np.array_equal(faulty["anomaly"] == "1", faulty["fault"] != "")


def test_unseen_seeds_and_severities_differ():
    mild = simulator.simulate(400, 99, [simulator.Fault("leak", 100, 200, 0.5)])
    strong = simulator.simulate(400, 99, [simulator.Fault("leak", 100, 200, 1.0)])

    assert mild.truth[250, 1] > strong.truth[250, 1]
    assert not np.array_equal(simulator.simulate(400, 98).values, simulator.simulate(400, 99).values)
