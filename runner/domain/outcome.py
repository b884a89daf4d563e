"""What a run did, and whom it tells while it does it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.state import Standing

if TYPE_CHECKING:
    from verify.model import VerifyReport


class Direction(StrEnum):
    APPLY = "apply"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Outcome:
    """One migration, applied or rolled back and committed."""

    id: str
    duration_ms: float


@dataclass(frozen=True)
class RunReport:
    """What an apply or a rollback did. ``verify`` is None where nothing ran or verifying was switched off."""

    direction: Direction
    outcomes: tuple[Outcome, ...]
    standing: Standing  # after it
    verify: VerifyReport | None = None
    created: bool = False  # the SQLite file was made by this run
    dry_run: tuple[str, ...] | None = None  # the ids that would run

    @property
    def changed(self) -> bool:
        return bool(self.outcomes)


class Observer:
    """Told of progress; this one keeps silent. It never decides anything."""

    def created(self, path: Path) -> None:
        """The SQLite file was not there, and is made by this run."""

    def cosmetic(self, id: str) -> None:
        """Comments or white space of an applied file were changed since; that stops nothing."""

    def waiting(self, holder: str, seconds: float) -> None:
        """Another run holds the database; it is waited for, that long at most."""

    def retrying(self, id: str, reason: str, seconds: float) -> None:
        """A migration met a lock and was rolled back; it is tried again after a pause."""

    def started(self, direction: Direction, id: str, number: int, total: int) -> None:
        """A migration begins."""

    def finished(self, direction: Direction, outcome: Outcome) -> None:
        """A migration is committed."""

    def verifying(self) -> None:
        """The checks begin."""

    def warning(self, text: str) -> None:
        """Something is not as it should be, and does not stop the run."""

    def step(self, text: str) -> None:
        """A part of a longer work begins or has ended, in words."""

    def bytes_done(self, what: str, done: int, total: int | None) -> None:
        """So many bytes are copied, or read, of how many; None: nobody knows."""
