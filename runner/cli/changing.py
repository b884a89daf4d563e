"""The commands that change a database: apply, rollback, stamp."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli import render
from runner.cli.options import (
    Target,
    checks_option,
    command,
    confirm_option,
    ddl_lock_option,
    ddl_lock_try_option,
    lock_wait_option,
    no_verify_option,
    option,
    scratch_option,
    statement_timeout_option,
)
from runner.cli.progress import observing
from runner.cli.protection import confirm_loss
from runner.cli.session import Session
from runner.cli.show_apply import reviewed_plan, show_apply
from runner.domain.options import RunOptions
from runner.interruption import interruptible

plan_option = option(
    "--plan",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Carry out this plan, made by 'maxwell-db --json plan', unless anything has changed since.",
)


@command("apply")
@click.argument("target", metavar="[T]", type=Target(), required=False)
@option("--gate", is_flag=True, help="Verify before each commit: what breaks the data never is committed.")
@no_verify_option
@option("--single-transaction", is_flag=True, help="All pending migrations in one transaction: all or nothing.")
@option("--allow-out-of-order", is_flag=True, help="Apply what is older than something applied already.")
@option("--batch-commits", is_flag=True, help="Wait for the disk once, at the end of the run, not for each migration.")
@lock_wait_option
@ddl_lock_option
@ddl_lock_try_option
@statement_timeout_option
@checks_option
@option("--dry-run", is_flag=True, help="Say what would run; write nothing.")
@plan_option
def apply(session: Session, target: str | None, **told: Any) -> int:
    """Apply what is pending, up to and including T (default head), and verify.

    Each migration is one transaction together with its record; the first failure stops the run. A missing SQLite
    file is made.
    """
    return show_apply(session, target, **told)


@command("rollback")
@click.argument("target", metavar="[T]", type=Target(), required=False)
@option("-n", "--number", type=click.IntRange(1), metavar="N", help="Take back the last N.")
@option("--yes", "-y", is_flag=True, help="Do not ask; needed where there is no terminal to ask on.")
@confirm_option
@no_verify_option
@lock_wait_option
@ddl_lock_option
@ddl_lock_try_option
@statement_timeout_option
@checks_option
@plan_option
def rollback(
    session: Session,
    target: str | None,
    number: int | None,
    yes: bool,
    confirm_name: str | None,
    no_verify: bool,
    lock_wait: float,
    ddl_lock_timeout: float,
    ddl_lock_try: float,
    statement_timeout: float,
    checks: tuple[Path, ...],
    plan: Path | None,
) -> int:
    """Take back everything after T, newest first, and verify. T itself stays; without T, the last one is taken back."""
    from runner.operations.rollback import preview
    from runner.operations.rollback import rollback as roll_back

    project = session.project(checks)
    reviewed = reviewed_plan(plan, number if target is None else target)
    target = reviewed.target if reviewed else target
    if chosen := preview(project, target, number):
        confirm_loss(session, project, f"Roll back {', '.join(chosen)}", yes=yes, name=confirm_name)
    options = RunOptions(
        verify=not no_verify,
        lock_wait=lock_wait,
        ddl_lock_timeout=ddl_lock_timeout,
        ddl_lock_try=ddl_lock_try,
        statement_timeout=statement_timeout,
    )
    with observing(session) as observer:
        report = interruptible(lambda: roll_back(project, target, number, options, observer, reviewed))
    return session.answer("" if session.quiet else render.run_text(report), render.run_data(report))


@command("stamp")
@click.argument("target", metavar="T", type=Target())
@click.option("--force", is_flag=True, help="Even if the schema is not that of T; what differs is listed.")
@scratch_option
@lock_wait_option
def stamp(session: Session, target: str, force: bool, scratch: str | None, lock_wait: float) -> int:
    """Record T and all before it as applied, and nothing after it, without running anything.

    Refused if the database's schema is not the one that those migrations make, on a scratch database; exit 6.
    """
    from runner.operations.stamp import stamp as stamp_marks

    project = session.project()
    with observing(session) as observer:
        options = RunOptions(lock_wait=lock_wait)
        report = interruptible(lambda: stamp_marks(project, target, options, observer, force=force, scratch=scratch))
    return session.answer("" if session.quiet else render.stamp_text(report), render.stamp_data(report))
