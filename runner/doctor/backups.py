"""Is there a backup of the database, is it whole, and was it ever tested?"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from runner.backup.store import Backup, backups_in
from runner.doctor.patient import Patient, count_text
from runner.domain.finding import Cure, Finding, Severity, ok, run_command


def look(patient: Patient) -> Iterator[Finding]:
    """By their manifests and sizes alone: the bytes are read when one is tested."""
    there = backups_in(patient.backup_dir, patient.dialect, patient.url.name)
    folder = shlex.quote(str(patient.backup_dir))
    for backup in there:
        if backup.problem is not None:
            cure = run_command(f"maxwell-db backups --backup-dir {folder}  # which there are")
            message = f"{backup.file} is no backup any more: {backup.problem}"
            yield Finding("broken-backup", Severity.WARN, message, cure, str(backup.file))
    whole = [backup for backup in there if backup.problem is None]
    if not whole:
        cure = run_command(f"maxwell-db backup --backup-dir {folder}")
        message = f"there is no backup of the database in {patient.backup_dir}"
        yield Finding("no-backup", Severity.INFO, message, cure, str(patient.backup_dir))
    else:
        yield _newest(whole[0], len(whole), run_command(f"maxwell-db backups --test --backup-dir {folder}"))


def _newest(backup: Backup, number: int, test: Cure) -> Finding:
    assert backup.manifest is not None  # what has none is not whole
    made = f"{backup.manifest.created_at[:16].replace('T', ' ')} UTC"
    message = f"{count_text(number, 'backup')}, the newest of {made}"
    data = {"file": str(backup.file), "created_at": backup.manifest.created_at, "tested": backup.tested is not None}
    if backup.tested is None:
        message += ", and it was never restored to see that it can be"
        return Finding("backup", Severity.INFO, message, test, str(backup.file), data)
    if not backup.tested.passed:
        message += ", and it could not be restored when it was tested"
        return Finding("backup", Severity.WARN, message, test, str(backup.file), data)
    return ok("backup", f"{message}, tested", **data)
