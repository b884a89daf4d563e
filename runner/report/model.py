"""What a report says, as frozen values: gathered by the operation, laid out by ``html`` and ``markdown``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runner.domain.migration import Dialect, Migration, Script
from runner.domain.state import Standing, State
from runner.history import HistoryEntry
from runner.rehearsal.model import RehearsalReport, StatementReport, Step
from runner.report.schema import Schema
from runner.rules.model import Finding

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")


@dataclass(frozen=True)
class Change:
    """One migration of the change, with its files in each dialect, as far as they are there."""

    id: str
    state: State | None  # None: it is the other dialect's alone
    files: Mapping[Dialect, Migration]
    missing: Mapping[Dialect, str]  # why a dialect has none

    @property
    def own(self) -> Migration:
        """The one that says most of it: any of them, for the header is the same."""
        return next(iter(self.files.values()))

    def scripts(self) -> tuple[tuple[Dialect, str, Script], ...]:
        """Every file: its dialect, ``apply`` or ``rollback``, and its text."""
        found: list[tuple[Dialect, str, Script]] = []
        for dialect, migration in self.files.items():
            found.append((dialect, "apply", migration.apply))
            if migration.rollback is not None:
                found.append((dialect, "rollback", migration.rollback))
        return tuple(found)


@dataclass(frozen=True)
class Lint:
    """What the rules have against the files of the change."""

    files: int
    findings: tuple[Finding, ...]
    suppressed: int
    squawk: str  # ran, missing, unneeded, off

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        return len(self.findings) - self.errors


@dataclass(frozen=True)
class Rehearsed:
    """A rehearsal, and where it comes from. ``stale`` are the files whose text was another one then."""

    report: RehearsalReport
    source: str
    stale: tuple[str, ...] = ()

    def steps_of(self, change: Change) -> tuple[Step, ...]:
        return tuple(step for step in self.report.steps if step.id == change.id)

    def statements_of(self, change: Change) -> tuple[StatementReport, ...]:
        return tuple(statement for statement in self.report.statements if statement.id == change.id)


@dataclass(frozen=True)
class Check:
    """One check that will run, and what it said last."""

    name: str
    kind: str
    severity: str
    summary: str
    result: Literal["passed", "failed", "skipped", "not run"]
    violations: int = 0
    detail: str = ""  # the first violations, or why it was skipped
    new: bool = False  # it comes with the change


@dataclass(frozen=True)
class Checks:
    """The checks on the schema that the change makes. ``ran`` says when and on what the results were made."""

    checks: tuple[Check, ...]
    ran: str

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.result == "failed")


@dataclass(frozen=True)
class Report:
    """Everything on the page. None where something could not be found out; ``notes`` say why."""

    made_at: str  # UTC, to the second
    tool_version: str
    database: str  # without a password
    name: str
    engine: str | None  # SQLite 3.45.1; None where the database is not there
    standing: Standing
    history: tuple[HistoryEntry, ...]  # the last ones, oldest first
    after: str | None  # the target after which the change begins; None: it is what is pending
    changes: tuple[Change, ...]
    refused: tuple[str, ...]  # what apply would stop at, in the folders
    lint: Lint | None
    rehearsed: Rehearsed | None
    checks: Checks | None
    counts: Mapping[str, int] | None
    schema: Schema | None
    notes: Mapping[str, str]  # by section: standing, schema, rehearsal, checks, rows
