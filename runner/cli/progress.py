"""Progress on stderr: a line for each migration; on a terminal also what is running, and for how long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.domain.outcome import Direction, Observer, Outcome

if TYPE_CHECKING:
    from runner.cli.session import Session

_DONE = {Direction.APPLY: "applied", Direction.ROLLBACK: "rolled back"}
_DOING = {Direction.APPLY: "applying", Direction.ROLLBACK: "rolling back"}


@contextmanager
def observing(session: Session) -> Iterator[Observer]:
    """Whoever tells of progress: nobody, plain lines, or on a terminal something that moves."""
    if session.quiet:
        yield Observer()
    elif session.logs_json:
        from runner.cli.json_log import JsonObserver

        yield JsonObserver()
    elif sys.stderr.isatty() and session.color:
        with TerminalObserver() as observer:
            yield observer
    else:
        yield LineObserver()


class LineObserver(Observer):
    """Plain lines, as a log or a CI job keeps them."""

    def _say(self, text: str) -> None:
        with suppress(BrokenPipeError):  # that nobody reads along is no reason to stop half way
            print(text, file=sys.stderr, flush=True)

    def created(self, path: Path) -> None:
        self._say(f"the database {path} was not there; it is made")

    def cosmetic(self, id: str) -> None:
        self._say(f"{id}: comments or white space differ from what was applied; 'maxwell-db repair' records it anew")

    def waiting(self, holder: str, seconds: float) -> None:
        self._say(f"waiting up to {seconds:.0f} s: the database is held by {holder}")

    def retrying(self, id: str, reason: str, seconds: float) -> None:
        first_line = reason.splitlines()[0]
        self._say(f"{id}: {first_line}; rolled back, trying again in {seconds:.1f} s")

    def warning(self, text: str) -> None:
        self._say(f"warning: {text}")

    def step(self, text: str) -> None:
        self._say(text)

    def finished(self, direction: Direction, outcome: Outcome) -> None:
        self._say(f"{_DONE[direction]}  {outcome.id}  {outcome.duration_ms:.0f} ms")


class TerminalObserver(LineObserver):
    """The same lines over a live one: a spinner, what is running, how many are left, and for how long it runs."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.text import Text

        class CountColumn(MofNCompleteColumn):
            """Of migrations; a task that counts bytes says them itself."""

            def render(self, task: Any) -> Text:
                return Text() if task.fields.get("bytes") else super().render(task)

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            CountColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None
        self._bytes: Any = None

    def __enter__(self) -> TerminalObserver:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def pause(self) -> None:
        """Leave the terminal to another bar; lines go on to be told."""
        self._progress.stop()

    def _say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def step(self, text: str) -> None:
        self._end_of_bytes()
        super().step(text)

    def started(self, direction: Direction, id: str, number: int, total: int) -> None:
        self._show(f"{_DOING[direction]} {id}", number - 1, total)

    def verifying(self) -> None:
        self._show("verifying", None, None)

    def bytes_done(self, what: str, done: int, total: int | None) -> None:
        if self._bytes is None:
            self._bytes = ByteProgress(self._progress)
        self._bytes.show(what, done, total)

    def _end_of_bytes(self) -> None:
        if self._bytes is not None:
            self._bytes.end()

    def _show(self, text: str, completed: int | None, total: int | None) -> None:
        self._end_of_bytes()
        if self._task is None:
            self._task = self._progress.add_task(text, total=total)
        self._progress.update(self._task, description=text, completed=completed, total=total)


class ByteProgress:
    """Bytes and their rate, in the description of a task: the columns are those of migrations."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._what = ""
        self._task: Any = None
        self._since = 0.0

    def show(self, what: str, done: int, total: int | None) -> None:
        from rich.filesize import decimal

        if what != self._what:
            self.end()
            self._task = self._progress.add_task(what, total=total, bytes=True)
            self._what, self._since = what, time.monotonic()
        rate = done / max(time.monotonic() - self._since, 0.001)
        of = f" of {decimal(total)}" if total else ""
        text = f"{what} {decimal(done)}{of}, {decimal(int(rate))}/s"
        self._progress.update(self._task, description=text, completed=done, total=total)

    def end(self) -> None:
        """Something else goes on: the bytes are no longer shown."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._what, self._task = "", None
