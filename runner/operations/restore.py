"""Make a database what a backup says that it was: wholly, or not at all."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.backup.files import checksum, open_private
from runner.backup.manifest import Manifest, read_manifest
from runner.dialects import tables
from runner.domain.outcome import Observer
from runner.domain.state import Standing
from runner.domain.url import DatabaseUrl
from runner.errors import BackupFailed, LockTimeout, UsageError
from runner.operations.holding import held
from runner.operations.project import Project
from runner.operations.protection import is_marked, mark

if TYPE_CHECKING:
    from runner.dialects.postgres_programs import Program


@dataclass(frozen=True)
class RestoreOptions:
    """What a restore may do that it refuses unless told."""

    other_database: bool = False  # the backup is of a database of another name
    allow_newer: bool = False  # the files do not know all that is applied, there or in the backup
    create: bool = False  # SQLite: the file is not there
    disconnect: bool = False  # PostgreSQL: end the sessions of others
    lock_wait: float = 60.0
    pg_bin: Path | None = None


@dataclass(frozen=True)
class RestoreReport:
    """What was restored, and where the database stands since."""

    file: Path
    manifest: Manifest
    standing: Standing
    before: str | None  # the version that was there before


def proven(file: Path, observer: Observer) -> Manifest:
    """The manifest of a backup of which every byte is as it was written. BackupFailed otherwise."""
    manifest = read_manifest(file)
    descriptor = open_private(file)
    try:
        found = checksum(descriptor, lambda done, total: observer.bytes_done("checking", done, total))
    finally:
        os.close(descriptor)
    if found != (manifest.sha256, manifest.size):
        raise BackupFailed(
            f"{file} is damaged: it is not, byte for byte, what was backed up",
            code="BACKUP_DAMAGED",
            hint="Nothing was changed. Restore another one: 'maxwell-db backups' lists them.",
        )
    return manifest


def examine(project: Project, file: Path, options: RestoreOptions, observer: Observer) -> Manifest:
    """Refuse, before anything is touched, a backup that is damaged, of something else, or newer than the files."""
    manifest = proven(file, observer)
    if manifest.dialect != project.url.dialect:
        raise BackupFailed(
            f"{file} is a backup of a {manifest.dialect} database, and {project.url} is none",
            code="OTHER_DIALECT",
            hint="'maxwell-db transfer' takes data from SQLite to PostgreSQL.",
        )
    if manifest.database != project.url.name and not options.other_database:
        raise BackupFailed(
            f"{file} is a backup of {manifest.database}, and the database is called {project.url.name}",
            code="OTHER_DATABASE",
            hint="If it is meant to be restored there: --other-database.",
        )
    known = {migration.id for migration in project.migrations}
    _refuse_unknown([id for id in manifest.applied if id not in known], f"{file} has", options)
    return manifest


def _refuse_unknown(unknown: list[str], who: str, options: RestoreOptions) -> None:
    if unknown and not options.allow_newer:
        raise BackupFailed(
            f"{who} migrations that the files do not know: {', '.join(unknown)}",
            code="NEWER_THAN_FILES",
            hint="Bring the files of that version, or say that it is meant: --allow-newer.",
        )


def restore(
    project: Project, file: Path, options: RestoreOptions, observer: Observer, examined: Manifest | None = None
) -> RestoreReport:
    """Restore ``file`` into the project's database, under its lock. ``examined``: what ``examine`` said just now.

    BackupFailed, LockTimeout: the database is as it was. The marks travel in the backup, so no stamp is needed.
    """
    manifest = examined or examine(project, file, options, observer)
    if project.is_missing() and not options.create:
        raise UsageError(
            f"the database {project.url.path} is not there",
            code="NO_SUCH_DATABASE",
            hint="Check its name; to make it from the backup: --create.",
        )
    with (
        project.connection(create=options.create, what="restore", observer=observer) as connection,
        held(project, connection, "restore", options.lock_wait, observer),
    ):
        before = project.standing(connection)
        _refuse_unknown([item.id for item in before.applied if item.migration is None], "the database has", options)
        _refuse_yoyo(project, connection)
        protected = is_marked(connection, project.url.dialect)
        observer.step(f"restoring {file}")
        if project.url.path is not None:
            _restore_sqlite(connection, file, manifest, observer)
            if protected:
                mark(connection)
        else:
            _restore_postgres(project, connection, file, manifest, options, observer, protected)
    with project.connection(read_only=True) as connection:
        return RestoreReport(file, manifest, project.standing(connection), before.version)


def fill(
    connection: Any, url: DatabaseUrl, file: Path, manifest: Manifest, observer: Observer, pg_bin: Path | None
) -> None:
    """Make the database of an open connection what a proven backup holds, in place, all or nothing."""
    if url.dialect == "sqlite":
        _restore_sqlite(connection, file, manifest, observer)
        return
    from runner.backup.postgres import count_rows, telling
    from runner.backup.postgres_in_place import restore_in_place

    pg_restore = _pg_restore(connection, manifest, pg_bin)
    with telling(url, "RESTORE_FAILED"):
        restore_in_place(
            connection, pg_restore, file, lambda restored: _refuse_other_rows(manifest, count_rows(restored))
        )


def _refuse_yoyo(project: Project, connection: Any) -> None:
    from runner.yoyo_row import holder, read_row

    row = read_row(connection, project.url.dialect)
    who = holder(connection, project.url.dialect, row) if row is not None else None
    if who is not None:
        raise LockTimeout(
            f"a plain yoyo run may be at work: {who}",
            code="LOCK_HELD",
            hint="Let it end, or end it. If you know that it is dead: 'maxwell-db unlock --force'.",
        )


def _restore_sqlite(connection: Any, file: Path, manifest: Manifest, observer: Observer) -> None:
    from runner.backup import sqlite

    empty = not tables(connection, "sqlite")
    with sqlite.telling(file):
        sqlite.copy_in(file, connection, lambda done, total: observer.bytes_done("restoring", done, total))
        if empty and manifest.journal_mode == "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        rows = sqlite.count_rows(connection)
    _refuse_other_rows(manifest, rows)


def _refuse_other_rows(manifest: Manifest, rows: dict[str, int]) -> None:
    if rows != manifest.rows:
        wrong = {name for name, _ in rows.items() ^ manifest.rows.items()}
        raise BackupFailed(
            f"after the restore these tables do not have the rows of the backup: {', '.join(sorted(wrong))}",
            code="ROWS_DIFFER",
            hint="Stop what writes to the database, and restore again.",
        )


def _restore_postgres(
    project: Project,
    connection: Any,
    file: Path,
    manifest: Manifest,
    options: RestoreOptions,
    observer: Observer,
    protected: bool,
) -> None:
    from runner.backup.postgres import count_rows, telling
    from runner.backup.postgres_swap import swap

    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT current_database()::text")
        live = cursor.fetchone()[0]
    with telling(project.url, "RESTORE_FAILED"), swap(project.url, live) as swapping:
        if swapping is None:
            fill(connection, project.url, file, manifest, observer, options.pg_bin)
            if protected:
                mark(connection)
            return

        def finish(restored: Any) -> None:
            _refuse_other_rows(manifest, count_rows(restored))
            if protected:
                mark(restored)

        swapping.run(
            _pg_restore(connection, manifest, options.pg_bin),
            file,
            finish,
            connection.close,
            disconnect=options.disconnect,
            wait=options.lock_wait,
        )


def _pg_restore(connection: Any, manifest: Manifest, folder: Path | None) -> Program:
    """That of the server's version, unless a newer pg_dump wrote the file: an older pg_restore may not read it."""
    from runner.dialects.postgres_programs import find

    dumped_by = int((manifest.program_version or "0").partition(".")[0]) * 10000
    return find("pg_restore", max(connection.server_version, dumped_by), folder)
