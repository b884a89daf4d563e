"""Backups -> what a person or a program reads. Pure functions; nothing here prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli.layout import count, table

if TYPE_CHECKING:
    from runner.backup.store import Backup
    from runner.operations.backups import Trial
    from runner.operations.restore import RestoreReport


def backup_text(backup: Backup) -> str:
    manifest = backup.manifest
    assert manifest is not None
    rows = f"{count(len(manifest.rows), 'table')}, {count(sum(manifest.rows.values()), 'row')}"
    at = f"version {manifest.version}" if manifest.version else "no schema version"
    return f"{backup.file}\n{size_text(manifest.size)}; {at}; {rows}; sha256 {manifest.sha256[:12]}"


def backup_data(backup: Backup) -> dict[str, Any]:
    """A backup; of one that is none, the problem alone."""
    manifest = backup.manifest
    tested = backup.tested
    return {
        "file": str(backup.file),
        "manifest": None if manifest is None else manifest.as_dict(),
        "age_seconds": None if manifest is None else age(manifest.created_at),
        "tested": None if tested is None else {"at": tested.at, "passed": tested.passed},
        "problem": backup.problem,
    }


def restore_text(report: RestoreReport) -> str:
    before = f" (it was at version {report.before})" if report.before else ""
    rows = sum(report.manifest.rows.values())
    return (
        f"Restored {report.file}, of {report.manifest.created_at}: {count(rows, 'row')}.\n"
        f"The database is now at {report.standing.place}{before}."
    )


def restore_data(report: RestoreReport) -> dict[str, Any]:
    return {
        "changed": True,
        "file": str(report.file),
        "manifest": report.manifest.as_dict(),
        "version": report.standing.version,
        "version_before": report.before,
    }


def backups_text(found: Sequence[Backup], tried: Sequence[Trial], gone: Sequence[Backup]) -> str:
    lines = [_trial_text(trial) for trial in tried]
    lines += [f"removed {backup.file}" for backup in gone]
    if not found:
        return "\n".join([*lines, "There is no backup of this database here: 'maxwell-db backup' makes one."])
    rows = [["age", "version", "size", "tested (UTC)", "file"]]
    for backup in found:
        manifest = backup.manifest
        rows.append(
            [
                "" if manifest is None else age_text(age(manifest.created_at)),
                "" if manifest is None else manifest.version or "base",
                "" if manifest is None else size_text(manifest.size),
                f"NO BACKUP: {backup.problem}" if backup.problem else _tested_text(backup),
                str(backup.file),
            ]
        )
    return "\n".join([*lines, *([""] if lines else []), *table(rows, None)])


def backups_data(found: Sequence[Backup], tried: Sequence[Trial], gone: Sequence[Backup]) -> dict[str, Any]:
    return {
        "backups": [backup_data(backup) for backup in found],
        "tests": [{"file": str(trial.backup.file), "verify": trial.verify.as_dict()} for trial in tried],
        "removed": [str(backup.file) for backup in gone],
    }


def _trial_text(trial: Trial) -> str:
    manifest = trial.backup.manifest
    assert manifest is not None
    failed = trial.verify.failed("error")
    checks = (
        f"{count(len(failed), 'check')} failed there: {', '.join(one.name for one in failed)}"
        if failed
        else ("the checks passed there")
    )
    return f"tested  {trial.backup.file}: restored, {count(sum(manifest.rows.values()), 'row')}; {checks}"


def _tested_text(backup: Backup) -> str:
    if backup.tested is None:
        return "no"
    return f"{backup.tested.at[:16].replace('T', ' ')}{'' if backup.tested.passed else ' FAILED'}"


def way_back(file: Path, database: str) -> str:
    """The command that restores a backup, to paste."""
    import shlex

    return f"maxwell-db --database {shlex.quote(database)} restore {shlex.quote(str(file))}"


def size_text(size: int) -> str:
    from rich.filesize import decimal

    return decimal(size)


def age(created_at: str) -> int:
    """Seconds since then."""
    return int((datetime.now(UTC) - datetime.fromisoformat(created_at)).total_seconds())


def age_text(seconds: int) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{max(seconds, 0)} s"
