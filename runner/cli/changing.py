"""The commands that change a database: apply, rollback, stamp."""

from __future__ import annotations

from pathlib import Path

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
    statement_timeout_option,
)
from runner.cli.progress import observing
from runner.cli.protection import confirm_loss
from runner.cli.session import Session
from runner.domain.options import ApplyOptions, RunOptions
from runner.interruption import interruptible


@command("apply")
@click.argument("target", metavar="[T]", type=Target(), default="head")
@option("--gate", is_flag=True, help="Verify before each commit: what breaks the data never is committed.")
@no_verify_option
@option("--single-transaction", is_flag=True, help="All pending migrations in one transaction: all or nothing.")
@option("--allow-out-of-order", is_flag=True, help="Apply what is older than something applied already.")
@lock_wait_option
@ddl_lock_option
@ddl_lock_try_option
@statement_timeout_option
@checks_option
@option("--dry-run", is_flag=True, help="Say what would run; write nothing.")
def apply(
    session: Session,
    target: str,
    gate: bool,
    no_verify: bool,
    single_transaction: bool,
    allow_out_of_order: bool,
    lock_wait: float,
    ddl_lock_timeout: float,
    ddl_lock_try: float,
    statement_timeout: float,
    checks: tuple[Path, ...],
    dry_run: bool,
) -> int:
    """Apply what is pending, up to and including T (default head), and verify.

    Each migration is one transaction together with its record; the first failure stops the run. A missing SQLite
    file is made.
    """
    from runner.operations.apply import apply as apply_pending
    from runner.operations.apply import plan

    options = ApplyOptions(
        verify=not no_verify,
        lock_wait=lock_wait,
        ddl_lock_timeout=ddl_lock_timeout,
        ddl_lock_try=ddl_lock_try,
        statement_timeout=statement_timeout,
        gate=gate and not no_verify,
        single_transaction=single_transaction,
        allow_out_of_order=allow_out_of_order,
    )
    project = session.project(checks)
    if dry_run:
        report = plan(project, target, options)
    else:
        with observing(session) as observer:
            report = interruptible(lambda: apply_pending(project, target, options, observer))
    return session.answer("" if session.quiet else render.run_text(report), render.run_data(report))


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
) -> int:
    """Take back everything after T, newest first, and verify. T itself stays; without T, the last one is taken back."""
    from runner.operations.rollback import preview
    from runner.operations.rollback import rollback as roll_back

    project = session.project(checks)
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
        report = interruptible(lambda: roll_back(project, target, number, options, observer))
    return session.answer("" if session.quiet else render.run_text(report), render.run_data(report))


@command("stamp")
@click.argument("target", metavar="T", type=Target())
@lock_wait_option
def stamp(session: Session, target: str, lock_wait: float) -> int:
    """Record T and all before it as applied, and nothing after it, without running anything."""
    from runner.operations.stamp import stamp as stamp_marks

    project = session.project()
    with observing(session) as observer:
        report = interruptible(lambda: stamp_marks(project, target, RunOptions(lock_wait=lock_wait), observer))
    return session.answer("" if session.quiet else render.stamp_text(report), render.stamp_data(report))
