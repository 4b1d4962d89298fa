"""Seeded simulator of a water pump with its sensors; it makes `calibration_data/pump_*.csv`.

Physics, in consistent units; README.md beside this file gives the equations and constants in prose.

    pump curve      H = H0 n² − a Q²          head by the affinity laws, n the relative speed
    system curve    H = Hs + r Q²             r the resistance of the consumer's valve
    shaft power     P = P0 n³ + Q H / η       hydraulic power over efficiency, and losses in idle
    motor current   I = I0 + P / k            while the motor runs
    bearing         τ dT/dt = Ta + c I² − T   first-order thermal lag
    vibration       v = v0 + v1 n² + v2 |dQ/dt|

Run `python -m edgelstm.calibration_data.simulator FOLDER` to write the two files again, byte for byte.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
CHANNELS = ("motor_current_a", "flow_lpm", "pressure_kpa", "vibration_mm_s", "bearing_temp_c")
FAULTS = ("bearing_wear", "cavitation", "closing_valve", "leak", "stuck_sensor", "spike")
DECIMALS = (3, 2, 1, 3, 2)

SHUT_OFF = 400.0  # H0, kPa at full speed and no flow
PUMP_SLOPE = 0.025  # a, kPa / (l/min)²
STATIC = 40.0  # Hs, kPa of height between the tanks
EFFICIENCY = 0.62
IDLE_POWER = 180.0  # P0, W
CURRENT_PER_WATT = 1 / 310.0  # 1/k, A/W
STANDBY = 0.35  # I0, A of the drive's electronics
THERMAL_LAG = 240.0  # τ, s
HEATING = 2.6  # c, °C / A²
AMBIENT = 22.0  # Ta, °C
SPIN_UP = 4.0  # s, first-order lag of the speed
NOISE = (0.03, 0.8, 2.5, 0.06, 0.2)  # standard deviation of each sensor, in its unit


@dataclass(frozen=True)
class Fault:
    """A fault of the pump or of a sensor, with a start and an end."""

    kind: str
    """bearing_wear, cavitation, closing_valve, leak, stuck_sensor or spike."""
    start: int
    """First row, seconds."""
    length: int
    """Rows."""
    severity: float = 1.0
    """1 is the strength of the shipped file."""


@dataclass(frozen=True)
class Run:
    """One simulated recording at one sample a second."""

    values: Doubles
    """Sensor readings, shape (T, 5), in the units of `CHANNELS`."""
    fault: tuple[str, ...]
    """Fault of each row, empty while all is well."""
    truth: Doubles
    """The same without sensor noise and sensor faults, shape (T, 5)."""


def simulate(rows: int, seed: int, faults: Sequence[Fault] = ()) -> Run:
    """Run the pump.

    Args:
        rows: Seconds.
        seed: Of load, valve, ambient temperature and noise.
        faults: What goes wrong, not overlapping.
    """
    random = np.random.default_rng(seed)
    running, target = _speed_program(rows, random)
    resistance = _valve_program(rows, random)
    ambient = AMBIENT + 1.5 * np.sin(2 * np.pi * np.arange(rows) / 5400 + random.uniform(0, 6))
    wear, bubbles, leak = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    for fault in faults:
        part = slice(fault.start, fault.start + fault.length)
        ramp = _ramp(fault.length)
        if fault.kind == "bearing_wear":
            wear[part] = fault.severity * ramp
        elif fault.kind == "cavitation":
            bubbles[part] = fault.severity * ramp
        elif fault.kind == "closing_valve":
            resistance[part] *= 1 + 2.5 * fault.severity * ramp
        elif fault.kind == "leak":
            leak[part] = fault.severity * ramp
    truth = _physics(running, target, resistance, ambient, wear, bubbles, leak, random)
    values = truth + random.normal(size=truth.shape) * NOISE
    values[:, 3] = np.maximum(values[:, 3], 0.0)
    _sensor_faults(values, faults, random)
    names = [""] * rows
    for fault in faults:
        names[fault.start : fault.start + fault.length] = [fault.kind] * fault.length
    return Run(values, tuple(names), truth)


def _ramp(length: int) -> Doubles:
    """From 0 to 1 over the first third, then 1."""
    return np.minimum(1.0, np.arange(1, length + 1) / (length / 3))


def _speed_program(rows: int, random: np.random.Generator) -> tuple[Doubles, Doubles]:
    """Load cycles: speed steps of one to three minutes, a stop now and then."""
    running, target = np.ones(rows), np.zeros(rows)
    row = 0
    while row < rows:
        length = int(random.integers(50, 170))
        stop = row > 0 and random.random() < 0.15
        target[row : row + length] = 0.0 if stop else random.uniform(0.72, 1.0)
        running[row : row + length] = not stop
        row += length
    return running, target


def _valve_program(rows: int, random: np.random.Generator) -> Doubles:
    """The consumers' valve: slow swings and small steps of the resistance, kPa / (l/min)²."""
    time = np.arange(rows)
    swing = 0.12 * np.sin(2 * np.pi * time / 420 + random.uniform(0, 6))
    swing += 0.08 * np.sin(2 * np.pi * time / 137 + random.uniform(0, 6))
    steps = np.repeat(random.uniform(-0.1, 0.1, rows // 90 + 1), 90)[:rows]
    return 0.03 * (1 + swing + steps)


def _physics(
    running: Doubles, target: Doubles, resistance: Doubles, ambient: Doubles,
    wear: Doubles, bubbles: Doubles, leak: Doubles, random: np.random.Generator,
) -> Doubles:  # fmt: skip
    """The five quantities second by second, shape (T, 5)."""
    rows = len(target)
    truth = np.empty((rows, len(CHANNELS)))
    speed, temperature, before = target[0], AMBIENT + 9.0, 0.0
    shake = random.normal(size=(rows, 3))
    for row in range(rows):
        speed += (target[row] - speed) / SPIN_UP
        flow, head = _operating_point(speed, resistance[row])
        hiss = bubbles[row] * shake[row, 0]
        flow = max(0.0, flow * (1 - 0.06 * bubbles[row]) + 3.0 * hiss)
        head = max(0.0, head * (1 - 0.05 * bubbles[row]) + 6.0 * bubbles[row] * shake[row, 1])
        # a leak before the flow meter: the pump delivers more at less head, the meter sees less
        head *= 1 - 0.18 * leak[row]
        shaft = IDLE_POWER * speed**3 * (1 + 0.5 * wear[row]) + flow * (1 + 0.15 * leak[row]) * head / 60 / EFFICIENCY
        flow *= 1 - 0.25 * leak[row]
        current = running[row] * (STANDBY + shaft * CURRENT_PER_WATT) + (1 - running[row]) * 0.05
        settled = ambient[row] + HEATING * current**2 * (1 + 0.5 * wear[row])
        temperature += (settled - temperature) / THERMAL_LAG
        vibration = 0.15 + 1.1 * speed**2 * (1 + 0.30 * wear[row]) + 0.01 * abs(flow - before)
        vibration += 0.35 * bubbles[row] * abs(shake[row, 2]) * speed
        truth[row] = current, flow, head, vibration, temperature
        before = flow
    return truth


def _operating_point(speed: float, resistance: float) -> tuple[float, float]:
    """Flow (l/min) and head (kPa) where pump curve and system curve meet."""
    surplus = SHUT_OFF * speed**2 - STATIC
    if surplus <= 0:
        return 0.0, SHUT_OFF * speed**2
    flow = float(np.sqrt(surplus / (PUMP_SLOPE + resistance)))
    return flow, STATIC + resistance * flow**2


def _sensor_faults(values: Doubles, faults: Sequence[Fault], random: np.random.Generator) -> None:
    """Apply the faults of the sensors themselves, in place."""
    for fault in faults:
        part = slice(fault.start, fault.start + fault.length)
        if fault.kind == "stuck_sensor":
            values[part, 2] = values[fault.start, 2]
        elif fault.kind == "spike":
            values[part, 4] += 14.0 * fault.severity * random.choice([-1.0, 1.0], fault.length)


NORMAL = (6000, 11)  # rows, seed
FAULTY = (4800, 23)
SHIPPED = (
    Fault("closing_valve", 500, 200),
    Fault("stuck_sensor", 1150, 150),
    Fault("cavitation", 1580, 180),
    Fault("spike", 2300, 2),
    Fault("leak", 2750, 200),
    Fault("bearing_wear", 3500, 420),
    Fault("spike", 4500, 2),
)


FILES = {"pump_normal.csv": (*NORMAL, ()), "pump_faults.csv": (*FAULTY, SHIPPED)}


def content(name: str) -> str:
    """Content of pump_normal.csv or pump_faults.csv."""
    rows, seed, faults = FILES[name]
    return as_csv(simulate(rows, seed, faults))


def as_csv(run: Run) -> str:
    """A recording as CSV, with the columns `anomaly` and `fault` where it has faults.

    Args:
        run: The recording.
    """
    labelled = any(run.fault)
    lines = [",".join(["time", *CHANNELS, *(("anomaly", "fault") if labelled else ())])]
    for second, (row, fault) in enumerate(zip(run.values, run.fault, strict=True)):
        cells = [f"{value:.{digits}f}" for value, digits in zip(row, DECIMALS, strict=True)]
        lines.append(",".join([str(second), *cells, *((str(int(bool(fault))), fault) if labelled else ())]))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for file in FILES:
        Path(sys.argv[1] if len(sys.argv) > 1 else ".", file).write_bytes(content(file).encode())
