"""Rehearse migrations on scratch databases: up, down, up again, over rows; and compare the dialects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from runner.catalog import Catalog
from runner.catalog.parity import Disparity, disparities
from runner.domain.migration import Dialect, Migration
from runner.domain.outcome import Direction
from runner.domain.state import Standing, stand
from runner.domain.target import resolve
from runner.errors import MaxwellError, UsageError
from runner.operations.project import Project
from runner.operations.rehearse_dialect import DialectRehearsal
from runner.rehearsal.model import PARITY, Finding, RehearsalObserver, RehearsalReport, Status, Step
from runner.scratch import scratch_server
from runner.sources.folder import read_folder
from runner.sources.place import dialect_folder

DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")


@dataclass(frozen=True)
class RehearsalOptions:
    """``dialect``: that one alone. ``scratch``: the server for PostgreSQL. ``rows``: for each table."""

    dialect: Dialect | None = None
    scratch: str | None = None
    rows: int = 30


def rehearse(project: Project, target: str, options: RehearsalOptions, observer: RehearsalObserver) -> RehearsalReport:
    """Each migration up to ``target``: up, down, up again, on databases that are made for it and dropped.

    The project's database is not touched, nor its server. What a step finds is in the report; MaxwellError where the
    files cannot be read or there is no server to rehearse on.
    """
    folders = {dialect: _migrations(project, dialect) for dialect in _dialects(project, options.dialect)}
    last = _last(folders, target)
    chosen = {
        dialect: [migration for migration in migrations if last is not None and migration.id <= last]
        for dialect, migrations in folders.items()
    }
    walks: dict[Dialect, DialectRehearsal] = {}
    # The server first: that there is none is better known at once.
    with _server(options.scratch) if "postgres" in chosen else nullcontext(None) as server:
        for dialect, migrations in chosen.items():
            walk = DialectRehearsal(dialect, migrations, project.checks, options.rows, server, observer)
            walks[dialect] = walk
            walk.run()
    steps = [step for walk in walks.values() for step in walk.steps]
    notes = []
    if len(walks) == len(DIALECTS):
        parity = _parity(chosen, {dialect: walk.catalogs for dialect, walk in walks.items()})
        for step in parity:
            observer.stepped(step)
        steps += parity
    else:
        notes.append(f"only {', '.join(walks)} was rehearsed, so the dialects were not compared")
    return RehearsalReport(
        tuple(steps),
        tuple(statement for walk in walks.values() for statement in walk.statements),
        {dialect: walk.rows for dialect, walk in walks.items()},
        {dialect: walk.server for dialect, walk in walks.items()},
        {migration.id: migration.version for migrations in chosen.values() for migration in migrations},
        tuple(notes),
        {
            f"{dialect}/{script.path.name}": script.sha256
            for dialect, migrations in chosen.items()
            for migration in migrations
            for script in (migration.apply, migration.rollback)
            if script is not None
        },
    )


def _dialects(project: Project, wanted: Dialect | None) -> list[Dialect]:
    """Those whose folders are there; a folder that is itself full of migrations is of the database's dialect."""
    there = [dialect for dialect in DIALECTS if (project.sql / dialect).is_dir()]
    if wanted is not None:
        return [wanted]
    return there or [project.url.dialect]


def _migrations(project: Project, dialect: Dialect) -> tuple[Migration, ...]:
    if dialect == project.url.dialect:
        return project.migrations
    return read_folder(dialect_folder(project.sql, dialect), dialect)


def _last(folders: Mapping[Dialect, Sequence[Migration]], target: str) -> str | None:
    """The id of the last migration to rehearse; it need not be in both folders."""
    refused: UsageError | None = None
    found: list[str | None] = []
    for migrations in folders.values():
        empty: Standing = stand(migrations, {}, {})
        try:
            found.append(resolve(target, empty, Direction.APPLY))
        except UsageError as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return max((id for id in found if id is not None), default=None)


@contextmanager
def _server(scratch: str | None) -> Iterator[str]:
    """The server for PostgreSQL; the error where there is none says how to do without."""
    try:
        with scratch_server(scratch) as url:
            yield url
    except MaxwellError as error:
        if error.code == "SCRATCH_UNAVAILABLE":
            error.hint = f"{error.hint or ''} Or rehearse SQLite alone: --dialect sqlite.".strip()
        raise


def _parity(
    chosen: Mapping[Dialect, Sequence[Migration]], catalogs: Mapping[Dialect, Mapping[str, Catalog]]
) -> list[Step]:
    """One step for each migration: are the two schemas one after it?

    What a migration changes that exists in one dialect on purpose is no difference, then or later.
    """
    by_id: dict[str, dict[Dialect, Migration]] = {}
    for dialect, migrations in chosen.items():
        for migration in migrations:
            by_id.setdefault(migration.id, {})[dialect] = migration
    now: dict[Dialect, Catalog] = {dialect: Catalog(dialect) for dialect in DIALECTS}
    excused: set[tuple[str, str]] = set()
    told: set[Disparity] = set()
    steps = []
    for id in sorted(by_id):
        lost = [dialect for dialect in by_id[id] if id not in catalogs[dialect]]
        if lost:
            steps.append(Step(None, id, PARITY, "skipped", reason=f"it could not be applied on {', '.join(lost)}"))
            continue
        for dialect in by_id[id]:
            now[dialect] = catalogs[dialect][id]
        found = disparities(now["sqlite"], now["postgres"])
        findings = []
        if len(by_id[id]) < len(DIALECTS):
            ((dialect, alone),) = by_id[id].items()
            if alone.dialects:
                excused |= {one.key for one in found if one not in told}
            else:
                findings.append(_missing(dialect, alone))
        found = tuple(one for one in found if one.key not in excused)
        findings += _told(found, told)
        told |= set(found)
        status: Status = "failed" if any(one.severity == "error" for one in findings) else "passed"
        steps.append(Step(None, id, PARITY, status, findings=tuple(findings)))
    return steps


def _missing(dialect: Dialect, migration: Migration) -> Finding:
    other = next(one for one in DIALECTS if one != dialect)
    return Finding(
        "missing-dialect",
        "error",
        f"there is no such migration for {other}; if that is meant, say so in its header: '-- dialects: {dialect}'",
        migration.apply.path,
    )


def _told(found: Sequence[Disparity], told: set[Disparity]) -> list[Finding]:
    """What is sure as an error, at every version; what a person has to look at as a warning, once."""
    findings = []
    certain = tuple(one for one in found if one.certain)
    unsure = tuple(one for one in found if not one.certain and one not in told)
    if certain:
        names = ", ".join(one.object for one in certain)
        findings.append(Finding("parity", "error", f"the dialects differ: {names}", disparities=certain))
    if unsure:
        names = ", ".join(one.object for one in unsure)
        message = f"written differently in the two dialects; see whether it means the same: {names}"
        findings.append(Finding("parity-unsure", "warn", message, disparities=unsure))
    return findings
