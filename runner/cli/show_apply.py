"""What ``apply`` does with what it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.cli import render
from runner.cli.progress import observing
from runner.domain.options import ApplyOptions
from runner.domain.outcome import Direction
from runner.errors import UsageError
from runner.interruption import interruptible

if TYPE_CHECKING:
    from pathlib import Path

    from runner.cli.session import Session
    from runner.operations.reviewed import ReviewedPlan


def show_apply(
    session: Session,
    target: str | None,
    *,
    gate: bool,
    no_verify: bool,
    single_transaction: bool,
    allow_out_of_order: bool,
    batch_commits: bool,
    dry_run: bool,
    lock_wait: float = ApplyOptions.lock_wait,
    ddl_lock_timeout: float = ApplyOptions.ddl_lock_timeout,
    ddl_lock_try: float = ApplyOptions.ddl_lock_try,
    statement_timeout: float = ApplyOptions.statement_timeout,
    checks: tuple[Path, ...] = (),
    plan: Path | None = None,
) -> int:
    """Apply to the session's database, and give what was done as its answer."""
    from runner.operations.apply import apply as apply_pending
    from runner.operations.apply import plan as preview

    options = ApplyOptions(
        verify=not no_verify,
        lock_wait=lock_wait,
        ddl_lock_timeout=ddl_lock_timeout,
        ddl_lock_try=ddl_lock_try,
        statement_timeout=statement_timeout,
        gate=gate and not no_verify,
        single_transaction=single_transaction,
        allow_out_of_order=allow_out_of_order,
        batch_commits=batch_commits,
    )
    project = session.project(checks)
    reviewed = reviewed_plan(plan, target)
    last = reviewed.target if reviewed else "head" if target is None else target
    if dry_run:
        if reviewed:
            reviewed.refuse_if_outdated(project, Direction.APPLY)
        report = preview(project, last, options)
    else:
        with observing(session) as observer:
            report = interruptible(lambda: apply_pending(project, last, options, observer, reviewed))
    return session.answer("" if session.quiet else render.run_text(report), render.run_data(report))


def reviewed_plan(plan: Path | None, target: object) -> ReviewedPlan | None:
    """The plan that is to be carried out, which has its own target. UsageError if another one is given."""
    if plan is None:
        return None
    if target is not None:
        raise UsageError("both a target and a plan", code="USAGE", hint="The plan has its own target; leave out T.")
    from runner.operations.reviewed import read_plan

    return read_plan(plan)
