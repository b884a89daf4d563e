"""Room for the next backup, and for a migration that writes a table anew."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from runner.doctor.patient import Patient, size_text
from runner.domain.finding import Finding, Severity, ok, run_command, words


def look(patient: Patient) -> Iterator[Finding]:
    folder = patient.backup_dir
    trouble = _unusable(folder)
    if trouble is not None:
        yield trouble
        return
    yield _folder(folder)
    yield _room(patient, folder)
    if patient.dialect == "sqlite":
        yield from _room_beside(patient)


def _unusable(folder: Path) -> Finding | None:
    """What keeps backups from being written there, rights or kind."""
    there = _nearest(folder)
    if folder.is_symlink():
        message, cure = "is a link, and backups follow none", words("Name the folder itself with --backup-dir.")
    elif folder.exists() and not folder.is_dir():
        message, cure = "is not a folder", words("Name another one with --backup-dir.")
    elif not os.access(there, os.W_OK | os.X_OK):
        message = "cannot be written" if folder.exists() else f"cannot be made, because {there} cannot be written"
        cure = run_command(f"sudo install -d -m 700 -o {shlex.quote(_user())} {shlex.quote(str(folder))}")
    else:
        return None
    return Finding("backup-folder", Severity.ERROR, f"the backup folder {folder} {message}", cure, str(folder))


def _folder(folder: Path) -> Finding:
    if not folder.exists():
        return ok("backup-folder", f"{folder} is not there yet; the first backup makes it")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        return Finding(
            "backup-folder",
            Severity.WARN,
            f"the backup folder {folder} is open to others (mode {mode:o}), and backups hold all data",
            run_command(f"chmod 700 {shlex.quote(str(folder))}"),
            str(folder),
        )
    return ok("backup-folder", str(folder))


def _room(patient: Patient, folder: Path) -> Finding:
    needed, free = needed_bytes(patient), shutil.disk_usage(_nearest(folder)).free
    data = {"folder": str(folder), "needed_bytes": needed, "free_bytes": free}
    at_most = "" if patient.dialect == "sqlite" else "at most "
    message = f"a backup needs {at_most}{size_text(needed)}; {size_text(free)} are free in {folder}"
    if free >= needed:
        return ok("backup-disk", message, **data)
    cure = words(
        "Free some room, remove old backups (maxwell-db backups --keep N), or name a folder on another disk: "
        "--backup-dir DIR"
    )
    return Finding("backup-disk", Severity.ERROR, message, cure, str(folder), data)


def needed_bytes(patient: Patient) -> int:
    """The size of a backup. PostgreSQL's is compressed and holds no index: it is this large at most."""
    if patient.dialect == "sqlite":
        wal = Path(f"{patient.path.resolve()}-wal")
        return patient.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    try:
        return int(
            patient.value(
                "SELECT coalesce(sum(pg_table_size(c.oid)), 0) FROM pg_class AS c"
                " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                " WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'"
                " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            )
        )
    except patient.connection.Error:  # a table is locked just now
        return int(patient.value("SELECT pg_database_size(current_database())"))


def _room_beside(patient: Patient) -> Iterator[Finding]:
    """A rebuild writes a table twice, and so does the restore of a backup into the file."""
    folder = patient.path.resolve().parent
    needed, free = needed_bytes(patient), shutil.disk_usage(folder).free
    data = {"folder": str(folder), "needed_bytes": needed, "free_bytes": free}
    message = f"{size_text(free)} are free beside the database of {size_text(needed)}"
    if free >= needed:
        yield ok("database-disk", message, **data)
    else:
        message += ": a migration that rebuilds a large table may fill the disk"
        yield Finding("database-disk", Severity.WARN, message, words("Free some room first."), str(folder), data)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists() or place.is_symlink())


def _user() -> str:
    from runner.identity import user_and_host

    return user_and_host()[0]
