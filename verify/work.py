"""A list of work, shared by as many threads as there are readers of the one snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

from verify.reader import Reader

_LOOK_SECONDS = 0.05
_AHEAD_SECONDS = 0.02


class Deadline:
    """When the time is over; it begins to run at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; never less than nothing."""
        return max(0.0, self._at - monotonic())

    @property
    def over(self) -> bool:
        # A server counts by a clock of its own, in whole milliseconds, and may be a moment ahead.
        return self.left < _AHEAD_SECONDS


@dataclass(frozen=True)
class Part:
    """A piece of a check's work, for one reader; ``cost`` is a rough number of rows."""

    check: int  # the place of its check in the list
    run: Callable[[Reader], Any]
    cost: int = 0
    here: bool = False  # on the caller's own connection only, which may see more than one that was opened to read


@dataclass(frozen=True)
class Outcome:
    """What a part gave, or the error that it ended with."""

    value: Any
    error: Exception | None
    milliseconds: float


class Work:
    """Parts, taken in their order by whichever reader is free. The first reader is used by the calling thread alone.

    Of two errors the one of the earlier check counts, whichever came first, so that the answer hangs on no thread's
    speed: after an error only what belongs to the same check and to earlier ones is still done.
    """

    def __init__(
        self,
        readers: Sequence[Reader],
        parts: Sequence[Part],
        *,
        deadline: Deadline | None = None,
        begun: Callable[[int], None] = lambda check: None,
        goes_on: Callable[[], bool] = lambda: False,
    ) -> None:
        """``begun`` is told of each part's check, by one thread at a time; ``goes_on`` says that errors end nothing."""
        #: What was run, and to its end.
        self.outcomes: dict[Part, Outcome] = {}
        #: Somebody else cancelled what the caller's connection ran: the place of the check, and the error.
        self.cancelled: tuple[int, Exception] | None = None
        self._main, *self._others = readers
        self._waiting = list(parts)
        self._here = {part for part in parts if part.here}
        self._running: dict[Reader, Part] = {}
        self._deadline = deadline
        self._begun = begun
        self._goes_on = goes_on
        self._limit = float("inf")  # checks after this place are not wanted any more
        self._fault: BaseException | None = None
        self._state = threading.Condition()

    def run(self) -> None:
        """Do it all; when it returns, no thread is at work any more."""
        threads = [threading.Thread(target=self._work_beside, args=(one,), daemon=True) for one in self._others]
        for thread in threads:
            thread.start()
        try:
            self._work(self._main)
            if threads:
                self._wait_and_help()
        except BaseException:  # Ctrl-C, in the thread that waits
            self._want_none_after(-1)
            raise
        finally:
            for thread in threads:
                while thread.is_alive():
                    self._cancel_unwanted()
                    thread.join(_LOOK_SECONDS)
        if self._fault is not None:
            raise self._fault

    def _wait_and_help(self) -> None:
        """Wait for the others and do what they give back. A cancel of the caller's connection ends the others too."""
        with self._main.waiting() as look:
            while self._busy():
                try:
                    look()
                except self._main.errors as error:
                    if self._deadline is None or not self._deadline.over:
                        self._cancel_all(self._first_running(), error)
                    return
                self._cancel_unwanted()
                self._work(self._main)

    def _busy(self) -> bool:
        with self._state:
            if self._running and not self._is_wanted():
                self._state.wait(_LOOK_SECONDS)
            return bool(self._running) or self._is_wanted()

    def _work_beside(self, reader: Reader) -> None:
        try:
            self._work(reader)
        except BaseException as fault:
            self._fault = fault
            self._want_none_after(-1)

    def _work(self, reader: Reader) -> None:
        while (part := self._take(reader)) is not None:
            self._do(part, reader)

    def _take(self, reader: Reader) -> Part | None:
        with self._state:
            if self._deadline is not None and self._deadline.over:
                self._waiting.clear()
            part = self._first_for(reader)
            if part is not None:
                self._begun(part.check)
                self._waiting.remove(part)
                self._running[reader] = part
            return part

    def _first_for(self, reader: Reader) -> Part | None:
        wanted = (part for part in self._waiting if part.check <= self._limit)
        if not self._others or not self._here:
            return next(wanted, None)
        if reader is not self._main:
            return next((part for part in wanted if part not in self._here), None)
        first = None
        for part in wanted:
            if part in self._here:
                return part
            first = first or part
        return first

    def _is_wanted(self) -> bool:
        return any(part.check <= self._limit for part in self._waiting)

    def _do(self, part: Part, reader: Reader) -> None:
        began = perf_counter()
        value: Any = None
        error: Exception | None = None
        try:
            with reader.until(None if self._deadline is None else self._deadline.left):
                value = part.run(reader)
        except Exception as caught:
            error = caught
        milliseconds = (perf_counter() - began) * 1000
        with self._state:
            del self._running[reader]
            self._state.notify_all()
            if isinstance(error, reader.errors):
                if reader.was_cancelled(error):
                    if part.check <= self._limit and not (self._deadline is not None and self._deadline.over):
                        self._cancel_all(part.check, error)
                    return
                if reader is not self._main:
                    # Perhaps for want of what only the caller's connection has: a collation, a function.
                    self._here.add(part)
                    self._waiting.append(part)
                    return
            self.outcomes[part] = Outcome(value, error, milliseconds)
        if error is not None and not self._goes_on():
            self._want_none_after(part.check)

    def _cancel_all(self, check: int, error: Exception) -> None:
        self.cancelled = (check, error)
        self._limit = -1

    def _first_running(self) -> int:
        with self._state:
            return min((part.check for part in self._running.values()), default=0)

    def _want_none_after(self, check: int) -> None:
        with self._state:
            self._limit = min(self._limit, check)

    def _cancel_unwanted(self) -> None:
        with self._state:
            for reader, part in self._running.items():
                if reader is not self._main and part.check > self._limit:
                    reader.cancel()
