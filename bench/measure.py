"""Measuring: programs run in turn on the same work, their medians, and what they say beside a target.

A benchmark is a module with ``measure(size, folder, url) -> Results``; ``python -m bench`` runs them all. Each number
is a ratio of two programs in one run, since seconds tell more of the machine than of the program.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Literal

from tests.support.tool import ROOT, clean_environment

Size = Literal["small", "full"]


@dataclass(frozen=True)
class Run:
    """What one run of a program took; of several, the medians, and the most memory of any."""

    seconds: float
    cpu: float  # seconds of processor, user and system, of the program and its children
    megabytes: float  # the most memory of the program and its children together


@dataclass(frozen=True)
class Finding:
    """One line of the table: our seconds (or megabytes) beside another program's, and the most the ratio may be."""

    target: str  # the name of the target it answers, "a1"; "" for what is shown without one
    work: str  # what was done, in words
    peer: str  # what the ratio is to
    ours: float
    other: float
    limit: float | None = None
    unit: Literal["s", "MB"] = "s"
    floor: str = ""  # where the target is not met: what the profile shows as the least it can be

    @property
    def ratio(self) -> float:
        return self.ours / self.other

    @property
    def met(self) -> bool | None:
        return None if self.limit is None else self.ratio <= self.limit


@dataclass(frozen=True)
class Point:
    """One point of a curve of the picture: so much work took so many seconds."""

    curve: str  # "apply, SQLite"
    work: float  # a number of ``unit``
    seconds: float
    unit: str = "migrations"


@dataclass
class Results:
    findings: list[Finding] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # peers that are not installed here

    def add(self, other: Results) -> None:
        self.findings += other.findings
        self.points += other.points
        self.missing += [name for name in other.missing if name not in self.missing]


def maxwell_db(*arguments: str) -> list[str]:
    """The command line of this checkout's program, as a user's start of it runs."""
    return [sys.executable, "-c", _PROGRAM, *arguments]


_PROGRAM = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from runner.cli import program; program()"


def run(
    command: Sequence[str],
    *,
    stdin: Path | None = None,
    cwd: Path | None = None,
    more: Mapping[str, str] | None = None,
    codes: Iterable[int] = (0,),
) -> Run:
    """Run a program to its end, with ``more`` in its environment.

    SystemExit with its errors, if it ends with none of ``codes``.
    """
    with tempfile.TemporaryFile() as errors, (stdin or Path(os.devnull)).open("rb") as read:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=read,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=cwd or tempfile.gettempdir(),
            env=_users_environment(more),
        )
        with _Watch(process.pid) as watch:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            errors.seek(0)
            text = errors.read().decode(errors="replace")
            raise SystemExit(f"{' '.join(command)[:300]} ended with {process.returncode}: {text[-1000:]}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, watch.most / 1024)


def _users_environment(more: Mapping[str, str] | None) -> dict[str, str]:
    """Without what configures the programs, with ``more``; compiled modules are kept, as where it is installed."""
    return {name: value for name, value in clean_environment(more).items() if name != "PYTHONDONTWRITEBYTECODE"}


def in_turn(sides: Mapping[str, Callable[[], Run]], times: int, *, warm: int = 1) -> dict[str, Run]:
    """Run the sides one after the other, ``times`` over; the first ``warm`` rounds fill the caches and do not count."""
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for number in range(warm + times):
        for name, side in sides.items():
            one = side()
            if number >= warm:
                runs[name].append(one)
    return {name: median(found) for name, found in runs.items()}


def median(runs: Sequence[Run]) -> Run:
    return Run(
        statistics.median(one.seconds for one in runs),
        statistics.median(one.cpu for one in runs),
        max(one.megabytes for one in runs),
    )


class _Watch:
    """Looks at the memory of a program and its children from time to time: what they hold together, shared pages once.

    The kernel's own peak knows only the largest single process, and counts what this one held when it forked.
    """

    def __init__(self, pid: int) -> None:
        self.most = 0.0  # kilobytes
        self._pid = pid
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            family = _family(self._pid)
            alone = len(family) == 1
            held = _kilobytes(self._pid, "status", "VmHWM:") if alone else sum(map(_shared_once, family))
            self.most = max(self.most, held)


def _family(pid: int) -> list[int]:
    try:
        # Of every thread: whoever starts a process is its parent.
        children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []


def _shared_once(pid: int) -> float:
    return _kilobytes(pid, "smaps_rollup", "Pss:")


def _kilobytes(pid: int, file: str, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)
