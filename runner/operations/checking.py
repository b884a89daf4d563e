"""The checks around a run: what was wrong before it is known, so that only what it broke counts against it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.domain.migration import Dialect
from runner.domain.outcome import Direction
from verify.model import CheckResult, VerifyReport, Violation
from verify.run import verify

ROW_LOSS = "row-loss"


class Checker:
    """Runs the checks before and after, on the run's own connection.

    ``before`` is the report that the next one is measured against: the violations that it has are old.
    """

    def __init__(self, connection: Any, dialect: Dialect, checks: tuple[Path, ...]) -> None:
        self._connection = connection
        self._dialect: Dialect = dialect
        self._checks = checks
        self.before = self._verify(snapshot=True, before=None)

    def check(
        self, direction: Direction, expect_row_loss: Collection[str], *, in_transaction: bool
    ) -> tuple[VerifyReport, VerifyReport]:
        """The whole report, and the part of it that is new since ``before``; rows that vanished are part of both."""
        report = self._verify(snapshot=not in_transaction, before=self.before)
        loss = row_loss(self.before.counts, report.counts, direction, expect_row_loss)
        report = replace(report, checks=(*report.checks, loss))
        return report, report.new_since(self.before)

    def accept(self, report: VerifyReport) -> None:
        """What the next report is measured against."""
        self.before = report

    def _verify(self, *, snapshot: bool, before: VerifyReport | None) -> VerifyReport:
        return verify(self._connection, self._dialect, checks_dirs=self._checks, snapshot=snapshot, before=before)


def row_loss(
    before: Mapping[str, int], after: Mapping[str, int], direction: Direction, expected: Collection[str]
) -> CheckResult:
    """Rows that vanished from a table without the migration saying so, as the result of a check.

    A rollback may drop the tables that its migration made, with what is in them; from the others it takes nothing that
    the migration does not declare.
    """
    violations = []
    for table, rows in before.items():
        dropped = table not in after
        left = after.get(table, 0)
        if left >= rows or table in expected or (dropped and direction is Direction.ROLLBACK):
            continue
        detail = f"{rows} rows before, and the table is gone" if dropped else f"{rows} rows before, {left} after"
        violations.append(Violation(table, "", detail))
    return CheckResult(
        name=ROW_LOSS,
        kind="check",
        severity="error",
        status="failed" if violations else "passed",
        violations=len(violations),
        sample=tuple(violations[:5]),
    )


def describe(report: VerifyReport) -> str:
    """The errors of a report in one sentence: check, table and key of the first few."""
    parts = []
    for result in report.failed("error"):
        where = ", ".join(
            f"{one.table} {one.key}: {one.detail}" if one.key else f"{one.table}: {one.detail}"
            for one in result.sample[:3]
        )
        parts.append(f"{result.name} ({result.violations}): {where}")
    return "; ".join(parts)
