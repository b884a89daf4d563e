"""Progress of a transfer on stderr: a line for each part; on a terminal a bar by rows, with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runner.cli.progress import TerminalObserver
from runner.transfer.model import Progress

if TYPE_CHECKING:
    from runner.cli.session import Session
    from runner.domain.outcome import Observer


@contextmanager
def progressing(session: Session, observer: Observer) -> Iterator[Progress]:
    """Whoever tells of the rows: nobody, plain lines, or on a terminal something that moves."""
    if isinstance(observer, TerminalObserver):
        observer.pause()
        with _Bar() as bar:
            yield bar
    elif session.quiet:
        yield Progress()
    else:
        lines = _Lines(observer)
        yield lines
        lines.over()


class _Lines(Progress):
    """A line when a part is over, as a log keeps it."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._name = ""
        self._rows = 0
        self._began = 0.0

    def stage(self, name: str, total: int | None) -> None:
        self.over()
        self._name, self._rows, self._began = name, 0, time.monotonic()

    def advance(self, rows: int) -> None:
        self._rows += rows

    def over(self) -> None:
        if not self._name:
            return
        seconds = time.monotonic() - self._began
        count = f", {self._rows}" if self._rows else ""
        rate = f", {self._rows / seconds:.0f} a second" if self._rows and seconds >= 1 else ""
        self._observer.step(f"{self._name}: {seconds:.1f} s{count}{rate}")
        self._name = ""


class _Bar(Progress):
    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._progress = RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None
        self._rows, self._began = 0, 0.0

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def stage(self, name: str, total: int | None) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total, rate="")
        self._rows, self._began = 0, time.monotonic()

    def advance(self, rows: int) -> None:
        self._rows += rows
        seconds = time.monotonic() - self._began
        rate = f"{self._rows / seconds:,.0f} a second" if seconds > 1 else ""
        self._progress.update(self._task, advance=rows, rate=rate)
