"""Answers to alarms on disk: one JSON line each, safe before the person who gave it is told so."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, EdgelstmError, OutputError
from ..sinks.jsonl import compact

if TYPE_CHECKING:
    from ..alarms.answers import Answer

log = logging.getLogger("edgelstm")
MOST = 10_000  # answers of one run: a stuck client must not fill the disk


def answers_path(folder: Path, model: str) -> Path:
    """Return the file of answers of a stream.

    Args:
        folder: The state folder.
        model: The stream's name.
    """
    return folder / "answers" / (re.sub(r"[^A-Za-z0-9_-]+", "-", model)[:80] + ".jsonl")


class AnswerBook:
    """Answers given so far; the file is made with mode 0600 when the first one comes.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, str] = {}
        """The newest answer by id of the alarm."""
        self._count = 0
        if path.exists():
            from ..alarms.answers import read_answers

            try:
                self.answers = {answer.event: answer.answer for answer in read_answers(path)}
            except EdgelstmError as error:
                log.warning("%s", error)

    def add(self, answer: Answer) -> None:
        """Store an answer; the same one again changes nothing.

        Raises:
            ConfigError: If there were too many.
            OutputError: If it cannot be written.
        """
        from ..io.append_file import AppendFile  # few streams are ever answered

        if self.answers.get(answer.event) == answer.answer:
            return
        if self._count >= MOST:
            raise ConfigError(f"More than {MOST} answers in one run. Restart it.")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = AppendFile(self.path)
            try:
                file.cut_half_line()
                file.append(compact(answer.record()).encode() + b"\n")
                file.sync()
            finally:
                file.close()
        except OSError as error:
            raise OutputError(f"Cannot write the answer to {self.path}: {error.strerror or error}.") from error
        self._count += 1
        self.answers[answer.event] = answer.answer
