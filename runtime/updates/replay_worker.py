"""The child process that replays normal rows: `python -m edgelstm.runtime.updates.replay_worker`, a request on standard input.

It ends as `fetch_worker` does.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from ..errors import EdgelstmError
from ..model_file.trial_codes import REFUSED
from ..model_file.trial_worker import ROOM, ROOM_FOR_A_BYTE, limit


def main() -> None:
    """Replay the rows of the request; the first argument is the limit of processor time, seconds."""
    request = json.loads(sys.stdin.buffer.read())
    try:
        answer = _replay(Path(request["model"]), Path(request["folder"]), int(sys.argv[1]))
    except EdgelstmError as error:
        _refuse(str(error))
    except MemoryError:
        _refuse("It needs too much memory.")
    except Exception as error:
        _refuse(
            f"It does not run on the last normal rows ({type(error).__name__}: {' '.join(str(error).split())[:200]})."
        )
    os.write(1, json.dumps(answer).encode())
    os._exit(0)  # no destructors of a library that may be in a bad state


def _replay(model: Path, folder: Path, seconds: int) -> dict[str, Any]:
    from ..detector import Detector
    from ..inference.backend import backend
    from .normal_rows import load_normal_rows
    from .promise import AlarmCount

    backend()
    limit(ROOM + ROOM_FOR_A_BYTE * model.stat().st_size, seconds)
    detector = Detector.load(model)
    detector.probe()
    rows = load_normal_rows(folder)
    rows = rows if rows.shape[1] == len(detector.metadata.channels) + 1 else rows[:0]
    alarms, finite = AlarmCount(), 0
    begin = perf_counter()
    for time, *values in rows.tolist():
        result = detector.update(values, None if math.isnan(time) else time)
        alarms.add(result)
        finite += result.score is not None and math.isfinite(result.score)
    spent = perf_counter() - begin
    return {
        "channels": list(detector.metadata.names), "rows": len(rows), "scored": alarms.scored, "finite": finite,
        "alarmed": alarms.alarmed, "alarms": alarms.alarms, "seconds": spent / len(rows) if len(rows) else 0.0,
    }  # fmt: skip


def _refuse(reason: str) -> None:
    os.write(1, reason.encode("utf-8", "replace"))
    os._exit(REFUSED)


if __name__ == "__main__":
    main()
