"""Small data sets of our own; README.md beside this file gives origin, units, rate and licence.

What code makes again byte for byte is not installed.
"""

from pathlib import Path

from edgelstm.runtime.io.atomic_files import write_atomic

FOLDER = Path(__file__).parent


def write(name: str, folder: Path) -> Path:
    """Write one of the data sets into a folder, byte for byte as it is in the repository.

    Args:
        name: pump_normal.csv, pump_faults.csv, intents_train.csv or intents_test.csv.
        folder: An existing folder.

    Returns:
        Path of the file.
    """
    from . import intents, simulator

    path = folder / name
    write_atomic(path, (simulator.content(name) if name in simulator.FILES else intents.content(name)).encode())
    return path


def read_text(name: str) -> str:
    """Text of an installed file beside this module, such as `intents_test.csv`."""
    return (FOLDER / name).read_text(encoding="utf-8")
