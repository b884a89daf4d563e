"""The backups there are: list them, prove one by restoring it elsewhere, prune the old ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runner import __version__
from runner.backup.manifest import Manifest
from runner.backup.store import Backup, Tested, backups_in, default_folder, remove, write_tested
from runner.dialects import connect
from runner.domain.outcome import Observer
from runner.domain.url import DatabaseUrl
from runner.errors import BackupFailed
from runner.interruption import watched
from runner.operations.backup import utc_now
from runner.operations.project import Project
from runner.operations.restore import proven
from runner.scratch import scratch_database
from verify.model import VerifyReport
from verify.run import verify


@dataclass(frozen=True)
class Trial:
    """What became of a backup in a scratch database: it was whole there, and what the checks said of its data."""

    backup: Backup
    verify: VerifyReport


def list_backups(project: Project, folder: Path | None) -> tuple[Backup, ...]:
    """The backups of the project's database, newest first."""
    return backups_in(folder or default_folder(project.url), project.url.dialect, project.url.name)


def newest(backups: Sequence[Backup]) -> Backup:
    """The newest that looks whole. BackupFailed if there is none."""
    for backup in backups:
        if backup.problem is None:
            return backup
    raise BackupFailed(
        "there is no backup of this database here", code="NO_BACKUP", hint="Make one: 'maxwell-db backup'."
    )


def try_out(
    project: Project, file: Path, observer: Observer, *, scratch: str | None = None, pg_bin: Path | None = None
) -> Trial:
    """Restore a backup into a scratch database, count its rows, run the checks, drop it, and record the test.

    BackupFailed where it cannot be restored whole; that is recorded, too. The database itself is not touched.
    """
    manifest = proven(file, observer)
    observer.step(f"restoring {file} into a scratch database")
    try:
        with scratch_database(project.url, scratch=scratch) as url:
            restore_to_scratch(url, file, manifest, observer, pg_bin)
            connection = connect(url, read_only=True)
            with closing(connection), watched(connection):
                report = verify(connection, url.dialect, checks_dirs=project.checks)
    except BackupFailed:
        write_tested(file, Tested(utc_now(), False, manifest.sha256, __version__))
        raise
    tested = Tested(utc_now(), True, manifest.sha256, __version__)
    write_tested(file, tested)
    return Trial(Backup(file, manifest, tested), report)


def restore_to_scratch(
    url: DatabaseUrl, file: Path, manifest: Manifest, observer: Observer, pg_bin: Path | None
) -> None:
    """Fill an empty database of ours from a backup. BackupFailed if its rows are not those of the manifest."""
    from runner.operations.restore import fill

    connection: Any = connect(url, create=True)
    with closing(connection), watched(connection):
        fill(connection, url, file, manifest, observer, pg_bin)


def prune(
    project: Project, folder: Path | None, observer: Observer, *, keep: int | None, keep_days: float | None
) -> tuple[tuple[Backup, ...], tuple[Backup, ...]]:
    """Remove the backups that are neither among the newest ``keep`` nor younger than ``keep_days``.

    What stays and what went. The newest one is read whole first: before it is proven nothing goes, and it never does.
    """
    found = list_backups(project, folder)
    whole = [backup for backup in found if backup.problem is None]
    going = old(whole, keep, keep_days)
    if going:
        proven(whole[0].file, observer)
        for backup in going:
            remove(backup)
    return tuple(backup for backup in found if backup not in going), going


def old(backups: Sequence[Backup], keep: int | None, keep_days: float | None) -> tuple[Backup, ...]:
    """Of whole backups, newest first, those to remove; never the newest. One that either rule keeps stays."""
    oldest = datetime.now(UTC) - timedelta(days=keep_days or 0)
    going = []
    for place, backup in enumerate(backups):
        assert backup.manifest is not None
        kept = place < max(keep or 1, 1)
        if keep_days is not None:
            kept = kept or datetime.fromisoformat(backup.manifest.created_at) >= oldest
        if not kept:
            going.append(backup)
    return tuple(going)
