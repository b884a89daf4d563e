"""What a deploy did, step by step; also what it did about a failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.options import ApplyOptions
from runner.domain.outcome import Outcome, RunReport
from runner.domain.state import Standing

if TYPE_CHECKING:
    from runner.domain.finding import Finding
    from verify.model import VerifyReport


class OnFailure(StrEnum):
    """What is done about a deploy that failed after its backup."""

    STOP = "stop"
    ROLLBACK = "rollback"
    RESTORE = "restore"


@dataclass(frozen=True)
class DeployOptions(ApplyOptions):
    """How to deploy."""

    on_failure: OnFailure = OnFailure.ROLLBACK
    backup: bool = True
    backup_dir: Path | None = None
    rehearse: bool = False
    scratch: str | None = None
    pg_bin: Path | None = None
    program: str = "maxwell-db"  # how a person calls it for this database: what the ways back begin with


@dataclass(frozen=True)
class Rehearsal:
    """The deploy on a copy made from the new backup: what ran there, how long each took, what the checks said."""

    outcomes: tuple[Outcome, ...]
    verify: VerifyReport | None

    @property
    def locked_ms(self) -> float:
        """How long the real one will hold locks, about: as long as its migrations run."""
        return sum(outcome.duration_ms for outcome in self.outcomes)


@dataclass(frozen=True)
class Recovery:
    """What was done about what a failed deploy had committed.

    ``problem``: why that did not succeed, or what the checks still find.
    """

    action: OnFailure
    rolled_back: tuple[Outcome, ...] = ()
    problem: str | None = None


@dataclass
class DeployReport:
    """Filled as the deploy goes on, so that a failure can tell what was done before it."""

    target: str
    before: Standing
    after: Standing
    preflight: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()  # of the review of the pending files
    backup: Path | None = None
    backup_bytes: int | None = None
    rehearsal: Rehearsal | None = None
    run: RunReport | None = None  # of the deploy itself; None: it did not come to that, or failed
    verify: VerifyReport | None = None  # what the checks said last, also of what they let not pass
    recovery: Recovery | None = None
    rows: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)  # before and after, by table
    duration_ms: float = 0.0
    way_back: tuple[str, ...] = ()  # commands, in words of the command line

    @property
    def changed(self) -> bool:
        """Is the database another one than before?"""
        return bool(self.run and self.run.changed) or [item.id for item in self.before.applied] != [
            item.id for item in self.after.applied
        ]
