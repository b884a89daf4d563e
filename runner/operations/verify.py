"""The checks alone, on a database as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path

from runner.dialects import connect
from runner.domain.url import DatabaseUrl
from runner.errors import MaxwellError
from runner.interruption import watched
from verify.model import VerifyReport
from verify.run import verify as run_checks


def verify(
    url: DatabaseUrl,
    checks: Sequence[Path],
    *,
    only: Collection[str],
    sample: int,
    budget: float | None,
) -> VerifyReport:
    """Run them read-only, in one snapshot, for ``budget`` seconds at most; a signal ends them at once."""
    with closing(connect(url, read_only=True)) as connection, watched(connection):
        return run_checks(connection, url.dialect, checks_dirs=checks, only=only, sample=sample, budget=budget)


def incomplete(report: VerifyReport, budget: float) -> MaxwellError:
    """What to say of a report that found nothing wrong, but not in all of its checks."""
    return MaxwellError(
        f"the budget of {budget:g} s was spent: {report.not_run} of {len(report.checks)} checks were not run",
        code="BUDGET_SPENT",
        hint="Nothing is said of those. Give it more time, or name with --only what matters most.",
    )
