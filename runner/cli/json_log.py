"""Progress on stderr as JSON lines, for whoever collects logs: one object a line, with time, level and event."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.domain.outcome import Direction, Observer, Outcome


def line(level: str, message: str, **facts: Any) -> str:
    """One event. The keys ``time`` (UTC), ``level`` and ``message`` are in every one."""
    now = f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return json.dumps({"time": now, "level": level, "message": message} | facts, ensure_ascii=False)


class JsonObserver(Observer):
    """Tells of progress in JSON lines. Bytes are told of at the end of a copy alone."""

    def _say(self, level: str, message: str, **facts: Any) -> None:
        with suppress(BrokenPipeError):  # that nobody reads along is no reason to stop half way
            print(line(level, message, **facts), file=sys.stderr, flush=True)

    def created(self, path: Path) -> None:
        self._say("info", "database created", path=str(path))

    def cosmetic(self, id: str) -> None:
        self._say("warning", "comments or white space differ from what was applied", id=id)

    def waiting(self, holder: str, seconds: float) -> None:
        self._say("info", "waiting for another run", holder=holder, seconds=seconds)

    def retrying(self, id: str, reason: str, seconds: float) -> None:
        self._say("warning", "rolled back, trying again", id=id, reason=reason.splitlines()[0], seconds=seconds)

    def started(self, direction: Direction, id: str, number: int, total: int) -> None:
        self._say("info", f"{direction} begins", id=id, number=number, total=total)

    def finished(self, direction: Direction, outcome: Outcome) -> None:
        self._say("info", f"{direction} committed", id=outcome.id, duration_ms=outcome.duration_ms)

    def verifying(self) -> None:
        self._say("info", "verifying")

    def warning(self, text: str) -> None:
        self._say("warning", text)

    def step(self, text: str) -> None:
        self._say("info", text)

    def bytes_done(self, what: str, done: int, total: int | None) -> None:
        if done == total:
            self._say("info", f"{what} done", bytes=done)
