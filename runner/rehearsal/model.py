"""What a rehearsal found, as frozen values: steps, findings, statements, and where the dialects differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runner.catalog import Difference
from runner.catalog.parity import Disparity
from runner.domain.migration import Dialect
from runner.domain.outcome import Direction

Severity = Literal["error", "warn"]
Status = Literal["passed", "failed", "skipped"]

UP, DOWN, AGAIN, PARITY = "up", "down", "up again", "parity"


@dataclass(frozen=True)
class Finding:
    """One thing that a step showed. ``code`` is stable; an error fails the step, a warning does not."""

    code: str  # statement-failed, violations, rows-lost, values-changed, values-not-restored, schema-after-down,
    # schema-after-second-up, column-order, not-filled, parity, parity-unsure, missing-dialect
    severity: Severity
    message: str
    file: Path | None = None
    line: int | None = None
    statement: str | None = None
    differences: tuple[Difference, ...] = ()
    disparities: tuple[Disparity, ...] = ()


@dataclass(frozen=True)
class Lock:
    """The strongest lock that a statement took on a table that was there before, and whom it keeps waiting."""

    relation: str
    mode: str  # as PostgreSQL says it, such as "ACCESS EXCLUSIVE"
    blocks: str


@dataclass(frozen=True)
class StatementReport:
    """What one statement did over the generated rows, in a transaction that was rolled back."""

    id: str
    direction: Direction
    file: Path
    line: int
    sql: str
    duration_ms: float
    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()  # tables and indexes whose file was written anew
    note: str | None = None  # why there is no more to say


@dataclass(frozen=True)
class Step:
    """One step of one migration: a test case. ``dialect`` is None for parity, which is about both."""

    dialect: Dialect | None
    id: str
    name: str  # up, down, up again, parity
    status: Status
    duration_ms: float = 0.0
    findings: tuple[Finding, ...] = ()
    reason: str | None = None  # why it was skipped

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")


@dataclass(frozen=True)
class RehearsalReport:
    """All steps in order, and what was rehearsed with. ``rows``: by dialect and table, at the end."""

    steps: tuple[Step, ...]
    statements: tuple[StatementReport, ...]
    rows: Mapping[Dialect, Mapping[str, int]]
    servers: Mapping[Dialect, str]  # with which version
    versions: Mapping[str, str | None]  # the schema version of each migration
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # SHA-256 by dialect and name: "sqlite/NAME.sql"

    @property
    def passed(self) -> bool:
        return all(step.status != "failed" for step in self.steps)

    @property
    def failed(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.status == "failed")

    @property
    def warnings(self) -> tuple[tuple[Step, Finding], ...]:
        return tuple((step, found) for step in self.steps for found in step.findings if found.severity == "warn")


class RehearsalObserver:
    """Told of each step when it is over; this one keeps silent."""

    def stepped(self, step: Step) -> None:
        """A step is over."""
