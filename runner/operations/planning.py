"""What a run would do, made into a document: the exact SQL for a shell, and what has to be the same when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from runner import __version__
from runner.catalog import Catalog, fingerprint, read_catalog
from runner.dialects import tables
from runner.domain.migration import Migration, Script
from runner.domain.options import ApplyOptions
from runner.domain.outcome import Direction
from runner.domain.state import Standing, stand
from runner.domain.url import DatabaseUrl
from runner.ledger import is_old
from runner.operations.apply import pending_up_to
from runner.operations.project import Project
from runner.operations.rollback import select, way_back


@dataclass(frozen=True)
class PlannedStep:
    """One migration of a plan, with the text that runs."""

    migration: Migration
    script: Script


@dataclass(frozen=True)
class Plan:
    """What would run, on a database in which state, and as which SQL."""

    direction: Direction
    target: str
    url: DatabaseUrl
    steps: tuple[PlannedStep, ...]  # in the order in which they run
    applied: tuple[str, ...]
    pending: tuple[str, ...]  # all that are pending, whether they are part of it or not
    fingerprint: str  # of the database's schema
    place: str  # where the database stands, in words
    sql: str


def make_plan(project: Project, direction: Direction, target: str | None, options: ApplyOptions) -> Plan:
    """The plan of an ``apply`` up to ``target``, or of a ``rollback`` to it. Writes nothing, and refuses what they
    refuse. A SQLite file that is not there is an empty database."""
    if project.is_missing():
        return _plan(project, None, direction, target, options)
    with project.connection(read_only=True) as connection:
        return _plan(project, connection, direction, target, options)


def _plan(project: Project, connection: Any, direction: Direction, target: str | None, options: ApplyOptions) -> Plan:
    if target is None:
        target = "head" if direction is Direction.APPLY else "-1"
    standing = project.standing(connection) if connection else stand(project.migrations, {}, {})
    migrations = _chosen(project, standing, direction, target, options)
    applied = tuple(item.id for item in standing.applied)
    sql, ordered = _script(project.url, connection, direction, migrations, applied, options)
    steps = tuple(PlannedStep(one, _text(one, direction)) for one in ordered)
    plan = Plan(
        direction,
        target,
        project.url,
        steps,
        applied,
        tuple(item.id for item in standing.pending),
        schema_fingerprint(project, connection),
        f"at {standing.place}" if applied else "empty",
        "",
    )
    return replace(plan, sql="\n".join([*_header(plan), *sql, ""]))


def schema_fingerprint(project: Project, connection: Any) -> str:
    """The schema of an open connection as a digest; a file that is not there is an empty database."""
    dialect = project.url.dialect
    return fingerprint(read_catalog(connection, dialect) if connection else Catalog(dialect))


def _chosen(
    project: Project, standing: Standing, direction: Direction, target: str, options: ApplyOptions
) -> list[Migration]:
    if direction is Direction.ROLLBACK:
        # Without a target, for nothing applied is nothing to take back, and no error.
        chosen = select(standing, target, None) if standing.applied or target != "-1" else ()
        return [way_back(item, project.url.dialect) for item in chosen]
    items = pending_up_to(standing, target, options)
    return [item.migration for item in items if item.migration is not None]


def _text(migration: Migration, direction: Direction) -> Script:
    script = migration.apply if direction is Direction.APPLY else migration.rollback
    assert script is not None  # the rollback has refused what is irreversible
    return script


def _script(
    url: DatabaseUrl,
    connection: Any,
    direction: Direction,
    migrations: Sequence[Migration],
    applied: tuple[str, ...],
    options: ApplyOptions,
) -> tuple[list[str], list[Migration]]:
    """The lines of the script, and the migrations in the order in which they stand in it."""
    present = tables(connection, url.dialect) if connection else frozenset()
    old_ledger = connection is not None and is_old(connection, url.dialect)
    if url.dialect == "sqlite":
        from runner.backend.recording_sqlite import STATE as SQLITE_STATE
        from runner.backend.recording_sqlite import SqliteRecording
        from runner.dialects.sqlite_objects import keys_can_be_checked

        backend: Any = SqliteRecording(url, options, present, applied, old_ledger=old_ledger)
        state = _value(connection, SQLITE_STATE) if connection else "0"
        setup = partial(backend.setup, state, check_keys=connection is None or keys_can_be_checked(connection))
    else:
        from runner.backend.recording_postgres import STATE, PostgresRecording

        backend = PostgresRecording(url, options, present, applied, old_ledger=old_ledger)
        search_path = _value(connection, "SHOW search_path") if "schema=" in url.text else ""
        setup = partial(backend.setup, _value(connection, STATE), search_path)
    ordered = backend.in_order(migrations, direction)
    if not ordered:
        return ["-- Nothing to do."], []
    setup()
    backend.prepare()
    for migration in ordered:
        backend.run_one(migration, direction)
    backend.finish()
    return backend.lines, [migration.migration for migration in ordered]


def _value(connection: Any, sql: str) -> str:
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql)
        return str(cursor.fetchone()[0])


def _header(plan: Plan) -> list[str]:
    what = "apply" if plan.direction is Direction.APPLY else "roll back"
    program = "sqlite3 FILE" if plan.url.dialect == "sqlite" else "psql -v ON_ERROR_STOP=1 DATABASE"
    lines = [
        f"-- maxwell-db plan: {what} {len(plan.steps)} migration(s) on {plan.url.name}, which is {plan.place}.",
        f"-- Made {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC by maxwell-db {__version__}. To be run by: {program}",
        "-- It stops by itself, with nothing changed, unless the database is in this state:",
        f"--   applied: {', '.join(plan.applied) or 'nothing'}",
        f"--   schema: {plan.fingerprint[:16]}",
        "-- It holds:",
    ]
    lines += [f"--   {step.migration.id}  sha256 {step.script.sha256}" for step in plan.steps] or ["--   nothing"]
    lines.append("-- The checks are not part of it: run 'maxwell-db verify' afterwards.")
    # A name that comes from the database, or from its address, must not end its comment.
    return [*(" ".join(line.splitlines()) for line in lines), ""]
