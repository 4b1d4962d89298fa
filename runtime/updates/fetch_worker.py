"""The child process that fetches and verifies: `python -m edgelstm.runtime.updates.fetch_worker`, a request on standard input.

So a hostile repository costs the watch neither memory nor time, and python-tuf (24 MB resident) is never loaded into it.
Exit code 0 with an answer in JSON, `REFUSED` with one line on standard output; anything else is a crash.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

from ..errors import EdgelstmError
from ..model_file.trial_codes import REFUSED
from ..model_file.trial_worker import limit

MEMORY = 128 << 20  # bytes beyond a bare start; the largest metadata of 1 MB need 20 MB as objects


def main() -> None:
    """Answer the request on standard input; the first argument is the limit of processor time, seconds."""
    record = json.loads(sys.stdin.buffer.read())
    limit(MEMORY, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    try:
        answer = _answer(record)
    except ModuleNotFoundError as error:
        _refuse(f"Updates need {error.name}, which the base install leaves out: pip install 'edgelstm[update]'")
    except EdgelstmError as error:
        _refuse(str(error))
    except MemoryError:
        _refuse("The repository needs more memory than metadata of models may take. Look at what it serves.")
    except Exception as error:  # python-tuf raises its own kinds, and what a parser raises
        verb = "cannot be read" if "Download" in type(error).__name__ else "is refused"
        _refuse(f"The repository {verb}: {_reason(error)}. The model at work stays.")
    os.write(1, json.dumps(answer).encode())


def _answer(record: dict[str, Any]) -> dict[str, Any]:
    from .repository_client import Request, fetch_release

    tuples = {key: tuple(record[key]) for key in ("highest_keys", "refused")}
    release, fetched = fetch_release(Request(**{**record, **tuples}))
    return {"release": asdict(release), "fetched": fetched}


def _reason(error: BaseException) -> str:
    """Kind of an error and its words, without the full stop."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}"


def _refuse(reason: str) -> None:
    os.write(1, reason.encode("utf-8", "replace"))
    os._exit(REFUSED)


if __name__ == "__main__":
    main()
