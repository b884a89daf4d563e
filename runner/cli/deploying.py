"""The command that ships: deploy."""

from __future__ import annotations

import time
from pathlib import Path

import click

from runner.cli import render_deploy as render
from runner.cli.options import (
    Target,
    backup_dir_option,
    checks_option,
    command,
    confirm_option,
    ddl_lock_option,
    ddl_lock_try_option,
    lock_wait_option,
    no_verify_option,
    option,
    pg_bin_option,
    scratch_option,
    statement_timeout_option,
)
from runner.cli.progress import observing
from runner.cli.protection import confirm_loss
from runner.cli.session import Session
from runner.domain.deploy import DeployOptions, OnFailure
from runner.errors import MaxwellError, UsageError
from runner.interruption import interruptible


@command("deploy")
@click.argument("target", metavar="[T]", type=Target(), default="head")
@option(
    "--on-failure",
    type=click.Choice([choice.value for choice in OnFailure]),
    default=OnFailure.ROLLBACK.value,
    help="What to do when a migration or a check fails after the backup.",
)
@option("--rehearse", is_flag=True, help="First all of it on a copy made from the new backup; go on if that went well.")
@backup_dir_option
@option("--no-backup", is_flag=True, help="Make no backup; needs --yes.")
@option("--yes", "-y", is_flag=True, help="Do not ask; needed with --no-backup.")
@confirm_option
@option("--gate", is_flag=True, help="Verify before each commit: what breaks the data never is committed.")
@no_verify_option
@option("--single-transaction", is_flag=True, help="All pending migrations in one transaction: all or nothing.")
@option("--allow-out-of-order", is_flag=True, help="Apply what is older than something applied already.")
@option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what happened as a Prometheus text file, also on failure.",
)
@lock_wait_option
@ddl_lock_option
@ddl_lock_try_option
@statement_timeout_option
@checks_option
@scratch_option
@pg_bin_option
def deploy(
    session: Session,
    target: str,
    on_failure: str,
    rehearse: bool,
    backup_dir: Path | None,
    no_backup: bool,
    yes: bool,
    confirm_name: str | None,
    gate: bool,
    no_verify: bool,
    single_transaction: bool,
    allow_out_of_order: bool,
    metrics: Path | None,
    lock_wait: float,
    ddl_lock_timeout: float,
    ddl_lock_try: float,
    statement_timeout: float,
    checks: tuple[Path, ...],
    scratch: str | None,
    pg_bin: Path | None,
) -> int:
    """Ship what is pending, up to and including T (default head): look, back up, apply, verify, report.

    Nothing pending is no failure, and makes no backup. What fails before the first migration changes nothing; what
    fails later is dealt with as --on-failure says, and the exit code is that of the failure.
    """
    from runner.operations.deploy import deploy as ship

    options = DeployOptions(
        verify=not no_verify,
        lock_wait=lock_wait,
        ddl_lock_timeout=ddl_lock_timeout,
        ddl_lock_try=ddl_lock_try,
        statement_timeout=statement_timeout,
        gate=gate and not no_verify,
        single_transaction=single_transaction,
        allow_out_of_order=allow_out_of_order,
        on_failure=OnFailure(on_failure),
        backup=not no_backup,
        backup_dir=backup_dir,
        rehearse=rehearse,
        scratch=scratch,
        pg_bin=pg_bin,
        program=session.program,
    )
    project = session.project(checks)
    if no_backup:
        _refuse_without_backup(options.on_failure, rehearse)
        confirm_loss(session, project, "Deploy without a backup", yes=yes, name=confirm_name)
    if metrics is not None:
        from runner.operations.metrics import refuse_unwritable, write_metrics

        refuse_unwritable(metrics)
    started = time.time()
    try:
        with observing(session) as observer:
            report = interruptible(lambda: ship(project, target, options, observer))
    except MaxwellError as error:
        if metrics is not None:
            try:
                write_metrics(metrics, project, "deploy", started, error.exit_code, error.deploy, backup_dir)
            except UsageError as other:  # what failed first is what counts
                error.note = f"{error.note}\n{other.message}" if error.note else other.message
        raise
    if metrics is not None:
        try:
            write_metrics(metrics, project, "deploy", started, 0, report, backup_dir)
        except UsageError as error:
            error.deploy, error.outcomes = report, report.run.outcomes if report.run is not None else ()
            raise
    text = "" if session.quiet else render.deploy_text(report)
    return session.answer(text, render.deploy_data(report))


def _refuse_without_backup(on_failure: OnFailure, rehearse: bool) -> None:
    if on_failure is OnFailure.RESTORE or rehearse:
        what = "--rehearse" if rehearse else "--on-failure restore"
        raise UsageError(f"{what} needs the backup", code="USAGE", hint="Leave --no-backup out.")
