"""Apply what is pending, and verify."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from runner.domain.migration import Migration
from runner.domain.options import ApplyOptions
from runner.domain.outcome import Direction, Observer, RunReport
from runner.domain.state import MigrationStatus, Standing, State
from runner.domain.target import resolve, up_to
from runner.errors import UsageError
from runner.lock import journal_left
from runner.operations.history_guard import refuse_broken_history, refuse_unfinished
from runner.operations.project import Project

if TYPE_CHECKING:
    from runner.operations.reviewed import ReviewedPlan
    from runner.operations.run import Runner


def apply(
    project: Project, target: str, options: ApplyOptions, observer: Observer, reviewed: ReviewedPlan | None = None
) -> RunReport:
    """Bring the database up to and including ``target``, oldest first, and verify.

    ``reviewed`` is a plan that has to hold still: HistoryError where files or database have changed since.

    Each migration is one transaction, with its records. The first failure stops the run; what was committed before it
    stays, and the error names it. MigrationFailed, HistoryError, UnfinishedError, LockTimeout, ViolationsFound.
    """
    created = project.is_missing()
    if created:
        pending_up_to(project.standing_or_empty(), target, options)  # what is wrong with it leaves no new file behind
    if reviewed is not None:
        reviewed.refuse_if_outdated(project, Direction.APPLY)
    with project.connection(create=True, what="apply", observer=observer) as connection:
        standing = project.standing(connection)
        for item in standing.in_state(State.COSMETIC):
            observer.cosmetic(item.id)
        idle = not created and not standing.in_state(State.UNFINISHED) and not pending_up_to(standing, target, options)
        if idle and not (project.url.path and journal_left(project.url.path)):
            return RunReport(Direction.APPLY, (), standing)
        # What looks unfinished may be at work: the lock tells.
        from runner.operations.run import locked  # it brings yoyo, which nothing pending does not need

        with locked(project, connection, options, observer, "apply") as run:
            return apply_locked(run, target, options, created=created, reviewed=reviewed)


def apply_locked(
    run: Runner, target: str, options: ApplyOptions, *, created: bool = False, reviewed: ReviewedPlan | None = None
) -> RunReport:
    """The same in a run that holds the lock already."""
    # Looked at under the lock: another run may have been at work before it.
    standing = run.project.standing(run.connection)
    pending = pending_up_to(standing, target, options)
    migrations = run.in_order([_file(item) for item in pending], Direction.APPLY)
    single = options.single_transaction
    if reviewed is not None:
        reviewed.refuse_if_not_the_same(run.project, run.connection, standing, migrations)
    if single:
        _refuse_non_transactional(migrations)
    verified = None
    if migrations:
        with run.backend.batched() if _in_a_batch(migrations, options, created) else nullcontext():
            run.run(migrations, Direction.APPLY, standing, gate=options.gate, single_transaction=single)
            verified = run.verify_after(Direction.APPLY, standing)
    after = run.project.standing(run.connection)
    return RunReport(Direction.APPLY, tuple(run.outcomes), after, verified, created)


def plan(project: Project, target: str, options: ApplyOptions) -> RunReport:
    """What ``apply`` would run. Writes nothing, and refuses what ``apply`` refuses."""
    standing = project.standing_or_empty()
    pending = pending_up_to(standing, target, options)
    return RunReport(Direction.APPLY, (), standing, dry_run=tuple(item.id for item in pending))


def pending_up_to(standing: Standing, target: str, options: ApplyOptions) -> tuple[MigrationStatus, ...]:
    """What ``apply`` would run on a database that stands so. It refuses what ``apply`` refuses."""
    refuse_unfinished(standing)
    refuse_broken_history(standing, allow_out_of_order=options.allow_out_of_order)
    last = resolve(target, standing, Direction.APPLY)
    if last is None and standing.applied:
        raise UsageError(
            "apply does not go down to base", code="WRONG_DIRECTION", hint="Use 'maxwell-db rollback base'."
        )
    return up_to(standing.pending, last)


def _in_a_batch(migrations: list[Migration], options: ApplyOptions, created: bool) -> bool:
    """Is the disk waited for at the end alone? In a file that this run has made nothing can be lost."""
    return len(migrations) > 1 and not options.single_transaction and (options.batch_commits or created)


def _file(item: MigrationStatus) -> Migration:
    assert item.migration is not None  # what is pending has a file
    return item.migration


def _refuse_non_transactional(migrations: list[Migration]) -> None:
    for migration in migrations:
        if not migration.transactional:
            raise UsageError(
                "this migration runs outside a transaction, and --single-transaction wants one for all",
                code="NOT_TRANSACTIONAL",
                hint=f"Apply up to the migration before {migration.id}, then that one alone, then the rest.",
                file=migration.apply.path,
            )
