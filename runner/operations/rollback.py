"""Take back what was applied, newest first, and verify."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.domain.migration import Dialect, Migration, Script
from runner.domain.options import RunOptions
from runner.domain.outcome import Direction, Observer, RunReport
from runner.domain.state import MigrationStatus, Standing, State
from runner.domain.target import after, resolve
from runner.errors import HistoryError, MigrationFailed, UsageError
from runner.operations.history_guard import refuse_unfinished
from runner.operations.project import Project
from runner.operations.run import Runner, locked
from runner.sources.header import read_header

if TYPE_CHECKING:
    from runner.operations.reviewed import ReviewedPlan


def select(standing: Standing, target: str | None, count: int | None) -> tuple[MigrationStatus, ...]:
    """What would be taken back, newest first: everything after ``target``, or the last ``count``, or the last one."""
    refuse_unfinished(standing)
    if target is not None and count is not None:
        raise UsageError("both a target and a number", code="USAGE", hint="Give one of them: rollback T, or -n N.")
    if target is None:
        if not standing.applied:
            return ()
        target = f"-{1 if count is None else count}"
    last = resolve(target, standing, Direction.ROLLBACK)
    if last is not None and target != "head" and not any(item.id == last for item in standing.applied):
        raise UsageError(
            f"{last} is not applied, so nothing can be rolled back to it",
            code="TARGET_NOT_APPLIED",
            hint="See 'maxwell-db status'; to go up, use 'maxwell-db apply'.",
        )
    return tuple(reversed(after(standing.applied, last)))


def preview(project: Project, target: str | None, count: int | None) -> tuple[str, ...]:
    """The ids that ``rollback`` would take back, newest first. Writes nothing, and refuses what it refuses."""
    with project.connection(read_only=True) as connection:
        chosen = select(project.standing(connection), target, count)
    return tuple(way_back(item, project.url.dialect).id for item in chosen)


def rollback(
    project: Project,
    target: str | None,
    count: int | None,
    options: RunOptions,
    observer: Observer,
    reviewed: ReviewedPlan | None = None,
) -> RunReport:
    """Take back everything after ``target``, each migration in a transaction of its own, newest first; then verify.

    All of it is looked at before the first statement: what has no way back leaves the database as it is. ``reviewed``
    is a plan that has to hold still: HistoryError where files or database have changed since.
    """
    if reviewed is not None:
        reviewed.refuse_if_outdated(project, Direction.ROLLBACK)
    with (
        project.connection(what="rollback") as connection,
        locked(project, connection, options, observer, "rollback") as run,
    ):
        return rollback_locked(run, target, count, reviewed)


def rollback_locked(
    run: Runner, target: str | None, count: int | None, reviewed: ReviewedPlan | None = None
) -> RunReport:
    """The same in a run that holds the lock already."""
    standing = run.project.standing(run.connection)
    chosen = [way_back(item, run.project.url.dialect) for item in select(standing, target, count)]
    if not chosen:
        return RunReport(Direction.ROLLBACK, (), standing)
    migrations = run.in_order(chosen, Direction.ROLLBACK)
    if reviewed is not None:
        reviewed.refuse_if_not_the_same(run.project, run.connection, standing, migrations)
    run.run(migrations, Direction.ROLLBACK, standing, gate=False)
    verified = run.verify_after(Direction.ROLLBACK, standing)
    return RunReport(Direction.ROLLBACK, tuple(run.outcomes), run.project.standing(run.connection), verified)


def way_back(item: MigrationStatus, dialect: Dialect) -> Migration:
    """The migration whose rollback text undoes what was applied.

    That is the file's, unless the apply file is gone or says something else by now: then the text that was stored when
    it was applied. MigrationFailed where it was declared irreversible, HistoryError where no text is left.
    """
    stored = item.ledger.rollback_sql if item.ledger else None
    if item.migration is not None and not (item.state is State.CHANGED and _apply_changed(item) and stored):
        if item.migration.rollback is None:
            raise MigrationFailed(
                f"{item.id} is irreversible: {item.migration.irreversible}",
                code="IRREVERSIBLE",
                hint="Nothing was changed. Only a backup from before it leads back.",
                file=item.migration.apply.path,
            )
        return item.migration
    if stored is None:
        raise HistoryError(
            f"{item.id} is applied, but its file is gone, and no rollback text is stored in the database",
            code="MIGRATION_MISSING",
            hint="Bring the files back, or undo it by hand and stamp the migration before it.",
        )
    script = Script(Path(f"{item.id}.rollback.sql (as stored in the database)"), stored)
    if item.migration is not None:
        return replace(item.migration, rollback=script)
    apply = Script(Path(f"{item.id}.sql (as stored in the database)"), (item.ledger and item.ledger.apply_sql) or "")
    return Migration(
        item.id,
        dialect,
        apply=apply,
        rollback=script,
        transactional=read_header(apply, dialect).transactional,
        version=item.version,
        revision=item.revision,
    )


def _apply_changed(item: MigrationStatus) -> bool:
    return bool(item.migration and item.ledger and item.migration.apply.sha256 != item.ledger.apply_sha256)
