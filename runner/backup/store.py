"""The backups in a folder: which there are, and under which name the next one is written."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from runner.backup.files import PARTIAL, open_private, partial, remove_abandoned
from runner.backup.manifest import SUFFIX, Manifest, manifest_path, read_manifest
from runner.domain.migration import Dialect
from runner.domain.url import DatabaseUrl
from runner.errors import BackupFailed

FOLDER = "backups"
TESTED = ".tested"
_ENDS = {"sqlite": ".sqlite", "postgres": ".dump"}


@dataclass(frozen=True)
class Tested:
    """A backup was restored into a scratch database and verified there."""

    at: str  # UTC
    passed: bool
    sha256: str  # of the file that was tested
    tool_version: str


@dataclass(frozen=True)
class Backup:
    """A backup that is there. ``problem``: why it is none, as far as that can be told without reading all of it."""

    file: Path
    manifest: Manifest | None
    tested: Tested | None = None
    problem: str | None = None


def default_folder(url: DatabaseUrl) -> Path:
    """``backups`` beside the SQLite file; of PostgreSQL in the working folder."""
    return (url.path.parent if url.path is not None else Path()) / FOLDER


def new_name(url: DatabaseUrl) -> str:
    """A name that says what and when, and that no other backup has, not even one of the same second."""
    stem = _safe(url.path.stem if url.path is not None else url.name)
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stem}-{when}-{secrets.token_hex(3)}{_ENDS[url.dialect]}"


def remove_leftovers(folder: Path, url: DatabaseUrl) -> None:
    """Remove the partial files that killed backups of this database left there."""
    stem = _safe(url.path.stem if url.path is not None else url.name)
    for path in folder.glob(f"{stem}-*{PARTIAL}"):
        remove_abandoned(path)


def backups_in(folder: Path, dialect: Dialect, database: str) -> tuple[Backup, ...]:
    """The backups of a database, newest first. Their bytes are not read, only their manifests and sizes."""
    if not folder.is_dir():
        return ()
    found = []
    for path in folder.iterdir():
        if path.name.endswith(SUFFIX) or not os.path.lexists(manifest_path(path)):
            continue
        try:
            manifest = read_manifest(path)
        except BackupFailed as error:
            found.append(Backup(path, None, problem=error.message))
            continue
        if (manifest.dialect, manifest.database) != (dialect, database):
            continue
        size = path.lstat().st_size
        problem = None if size == manifest.size else f"it has {size} bytes instead of {manifest.size}"
        found.append(Backup(path, manifest, read_tested(path, manifest), problem))
    return tuple(
        sorted(found, key=lambda one: (one.manifest.created_at if one.manifest else "", one.file), reverse=True)
    )


def read_tested(file: Path, manifest: Manifest) -> Tested | None:
    """The record of the last test of this very file; None: there is none."""
    path = file.with_name(file.name + TESTED)
    with suppress(BackupFailed, ValueError, TypeError, OSError):
        descriptor = open_private(path)
        try:
            tested = Tested(**json.loads(os.read(descriptor, 1 << 16)))
        finally:
            os.close(descriptor)
        return tested if tested.sha256 == manifest.sha256 else None
    return None


def write_tested(file: Path, tested: Tested) -> None:
    """Record a test beside the backup, in place of an earlier one."""
    path = file.with_name(file.name + TESTED)
    with partial(path) as record:
        os.write(record.descriptor, json.dumps(vars(tested), indent=2).encode() + b"\n")
        path.unlink(missing_ok=True)
        record.publish()


def remove(backup: Backup) -> None:
    """Remove a backup: its manifest first, so that what is left half way is no backup."""
    for path in (manifest_path(backup.file), backup.file, backup.file.with_name(backup.file.name + TESTED)):
        path.unlink(missing_ok=True)


def _safe(name: str) -> str:
    """The database's name as a part of a file's name, which a shell and a pattern take as it is."""
    return "".join(letter if letter.isalnum() or letter in "._" else "_" for letter in name)[:100] or "database"
