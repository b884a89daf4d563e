"""How a transfer is to be done, and what it found and did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner import interruption
from runner.domain.options import RunOptions
from runner.transfer.model import Difference, Finding, Map, Progress, TableSum

if TYPE_CHECKING:
    from verify.model import VerifyReport


@dataclass(frozen=True)
class TransferOptions(RunOptions):
    """How to transfer. ``migrate`` None: only a target to which nothing is applied is migrated."""

    migrate: bool | None = None
    mapping: Map = field(default_factory=Map)
    dry_run: bool = False
    freeze_source: bool = False
    sample: int = 5


@dataclass(frozen=True)
class TransferReport:
    """What a transfer found and did. An error that ends one carries it too, as far as it came."""

    version: str | None = None
    migrated: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    tables: dict[str, TableSum] = field(default_factory=dict)  # of the source, as the map has it
    differences: tuple[Difference, ...] = ()
    verify: VerifyReport | None = None
    changed: bool = False
    compared: bool = False  # only looked at; nothing was copied
    dry_run: bool = False
    frozen: int | None = None  # tables of the source that refuse writes since
    thawed: int | None = None
    lost: str | None = None  # the file that says what was lost on purpose
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())


class Both(Progress):
    """Passes progress on, after a look at something else that may end it."""

    def __init__(self, listener: Progress, check: Callable[[], None]) -> None:
        self._listener = listener
        self._check = check

    def stage(self, name: str, total: int | None) -> None:
        self._check()
        self._listener.stage(name, total)

    def advance(self, rows: int) -> None:
        self._check()
        self._listener.advance(rows)


class Clock(Progress):
    """Passes progress on, and keeps how long each part took."""

    def __init__(self, listener: Progress) -> None:
        self._listener = listener
        self._began = time.perf_counter()
        self._name = "migrating"
        self.seconds: dict[str, float] = {}

    def stage(self, name: str, total: int | None) -> None:
        self.stop()
        self._name = name
        self._listener.stage(name, total)

    def advance(self, rows: int) -> None:
        interruption.check()
        self._listener.advance(rows)

    def over(self) -> None:
        self._listener.over()

    def stop(self) -> dict[str, float]:
        """End the part that runs; the seconds of all so far."""
        now = time.perf_counter()
        self.seconds[self._name] = self.seconds.get(self._name, 0) + now - self._began
        self._began = now
        return self.seconds
