"""Back a database up, while it is in use: a file that is whole, checked and sealed, or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner import __version__
from runner.backup.files import Partial, checksum, exists, partial, private_folder
from runner.backup.manifest import Manifest, manifest_path, write_manifest
from runner.backup.store import Backup, default_folder, new_name, remove_leftovers
from runner.domain.outcome import Observer
from runner.domain.state import Standing
from runner.errors import BackupFailed
from runner.operations.project import Project


def backup(
    project: Project,
    observer: Observer,
    *,
    file: Path | None = None,
    folder: Path | None = None,
    pg_bin: Path | None = None,
) -> Backup:
    """Write a backup to ``file``, or under a name with the time in ``folder``, and its manifest beside it.

    The data are those of one moment, and others go on reading and writing. Until the manifest is there, which is the
    last step, there is no backup. BackupFailed leaves none, and changes nothing in the database.
    """
    with project.connection(read_only=True, what="backup") as connection:
        return write_backup(project, connection, observer, file=file, folder=folder, pg_bin=pg_bin)


def write_backup(
    project: Project,
    connection: Any,
    observer: Observer,
    *,
    file: Path | None = None,
    folder: Path | None = None,
    pg_bin: Path | None = None,
) -> Backup:
    """The same over an open connection, which a run under way brings."""
    if file is None:
        folder = private_folder(folder or default_folder(project.url))
        remove_leftovers(folder, project.url)
        file = folder / new_name(project.url)
    elif not file.parent.is_dir():
        raise BackupFailed(
            f"the folder {file.parent} is not there", code="BACKUP_NOT_WRITTEN", hint="Make it first: mkdir -m 700."
        )
    for taken in (file, manifest_path(file)):
        if taken.is_symlink() or taken.exists():
            raise exists(taken)
    observer.step(f"backing up to {file}")
    try:
        with partial(file) as written:
            write = _write_sqlite if project.url.path is not None else _write_postgres
            manifest = write(project, connection, written, observer, pg_bin)
            written.publish()
        write_manifest(file, manifest)
    except OSError as error:
        raise BackupFailed(
            f"{file} cannot be written: {error.strerror or error}",
            code="BACKUP_NOT_WRITTEN",
            hint="Nothing was changed in the database. Check the folder, its permissions and the space on the disk.",
        ) from error
    return Backup(file, manifest)


def _write_sqlite(
    project: Project, connection: Any, written: Partial, observer: Observer, pg_bin: Path | None
) -> Manifest:
    from runner.backup import sqlite

    created_at = utc_now()
    with sqlite.telling(written.final):
        sqlite.copy_out(connection, written.path, lambda done, total: observer.bytes_done("copying", done, total))
        mode = sqlite.journal_mode(connection)
        # The checksum is one thread's work, the checks another's: both read the same pages, from memory mostly.
        with ThreadPoolExecutor(1) as pool, sqlite.open_copy(written.path) as copy:
            digest = pool.submit(checksum, written.descriptor)
            damage = sqlite.damage(copy)
            rows = {} if damage else sqlite.count_rows(copy)
            standing = None if damage else project.standing(copy)
            sha256, size = digest.result()
    if standing is None:
        raise BackupFailed(
            f"the copy is damaged, and so is the database itself: {damage}",
            code="DATABASE_DAMAGED",
            hint="No backup was made. 'maxwell-db verify' tells more; restore an older one: 'maxwell-db backups'.",
        )
    return _manifest(project, standing, created_at, rows, sha256, size, sqlite.SERVER_VERSION, journal_mode=mode)


def _write_postgres(
    project: Project, connection: Any, written: Partial, observer: Observer, pg_bin: Path | None
) -> Manifest:
    from runner.backup import postgres
    from runner.dialects.postgres_programs import find, find_exactly

    pg_dump = find("pg_dump", connection.server_version, pg_bin)
    pg_restore = find_exactly("pg_restore", pg_dump)
    facts: list[tuple[str, Standing, dict[str, int]]] = []

    def dump(snapshot: str) -> None:
        created_at = utc_now()
        with ThreadPoolExecutor(1) as pool:
            # The server counts while the dump is being written; both see the same rows.
            counted = pool.submit(lambda: (project.standing(connection), postgres.count_rows(connection)))
            try:
                postgres.dump(
                    project.url,
                    pg_dump,
                    pg_restore,
                    snapshot,
                    written.path,
                    written.descriptor,
                    lambda done, total: observer.bytes_done("dumping", done, total),
                )
            except BaseException:
                connection.cancel()
                raise
            facts.append((created_at, *counted.result()))

    with postgres.telling(project.url, "BACKUP_FAILED"):
        postgres.in_snapshot(connection, dump)
    sha256, size = checksum(written.descriptor)
    ((created_at, standing, rows),) = facts
    return _manifest(
        project,
        standing,
        created_at,
        rows,
        sha256,
        size,
        postgres.server_version(connection),
        program_version=f"{pg_dump.major}.{pg_dump.version % 10000}",
    )


def _manifest(
    project: Project,
    standing: Standing,
    created_at: str,
    rows: dict[str, int],
    sha256: str,
    size: int,
    server_version: str,
    *,
    program_version: str | None = None,
    journal_mode: str | None = None,
) -> Manifest:
    return Manifest(
        dialect=project.url.dialect,
        database=project.url.name,
        version=standing.version,
        applied=tuple(item.id for item in standing.applied),
        rows=rows,
        size=size,
        sha256=sha256,
        created_at=created_at,
        tool_version=__version__,
        server_version=server_version,
        program_version=program_version,
        journal_mode=journal_mode,
    )


def utc_now() -> str:
    return f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
