"""The manifest beside a backup, ``FILE.json``: what is in it, and a checksum of every byte, of both."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from runner.backup.files import open_private, partial
from runner.domain.migration import Dialect
from runner.errors import BackupFailed

FORMAT = 1
SUFFIX = ".json"
_LARGEST = 64 << 20


@dataclass(frozen=True)
class Manifest:
    """What a backup is of. No part of it is secret."""

    dialect: Dialect
    database: str  # the file's name, or the database's
    version: str | None  # the schema's
    applied: tuple[str, ...]  # ids, in the order of their names
    rows: dict[str, int]  # for each table; PostgreSQL: with its schema, where that is not public
    size: int  # bytes of the file
    sha256: str
    created_at: str  # UTC: when the data were as they are in it
    tool_version: str
    server_version: str
    program_version: str | None = None  # pg_dump's
    journal_mode: str | None = None  # SQLite's, of the database
    format: int = FORMAT

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"applied": list(self.applied)}


def manifest_path(file: Path) -> Path:
    return file.with_name(file.name + SUFFIX)


def write_manifest(file: Path, manifest: Manifest) -> None:
    """Write it beside the backup, which from now on is one. BackupFailed if there is one already."""
    with partial(manifest_path(file)) as manifest_file:
        os.write(manifest_file.descriptor, _render(manifest))
        manifest_file.publish()


def read_manifest(file: Path) -> Manifest:
    """The manifest of a backup, unharmed. BackupFailed says what is wrong with it."""
    path = manifest_path(file)
    if not os.path.lexists(path):
        raise BackupFailed(
            f"{file} has no manifest ({path.name}), so nobody knows whether it is a whole backup",
            code="NO_MANIFEST",
            hint="Name a file that 'maxwell-db backups' lists; keep file and manifest together when you copy them.",
        )
    descriptor = open_private(path)
    try:
        text = os.read(descriptor, _LARGEST)
    finally:
        os.close(descriptor)
    try:
        values = json.loads(text)
        values.pop("seal")
        manifest = Manifest(**values | {"applied": tuple(values["applied"])})
        if set(values) != {field.name for field in fields(Manifest)} or _render(manifest) != text:
            raise ValueError("not as it was written")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BackupFailed(
            f"{path} is damaged, or was edited",
            code="BACKUP_DAMAGED",
            hint="Restore another backup: 'maxwell-db backups' lists them.",
        ) from None
    if manifest.format != FORMAT:
        raise BackupFailed(
            f"{path} has format {manifest.format}, and this version reads {FORMAT}",
            code="BACKUP_DAMAGED",
            hint=f"It was written by maxwell-db {manifest.tool_version}; use that one.",
        )
    return manifest


def _render(manifest: Manifest) -> bytes:
    """The one way in which it is written, so that every changed byte shows."""
    values = manifest.as_dict()
    seal = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return (json.dumps(values | {"seal": seal}, indent=2, ensure_ascii=False) + "\n").encode()
