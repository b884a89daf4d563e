"""The client programs that a backup of PostgreSQL needs."""

from __future__ import annotations

from collections.abc import Iterator

from runner.dialects.postgres_programs import candidates, find, find_exactly
from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, words
from runner.errors import BackupFailed


def look(patient: Patient) -> Iterator[Finding]:
    if patient.dialect == "sqlite":
        return
    data = {"found": [str(program) for program in candidates("pg_dump", patient.pg_bin)]}
    try:
        program = find("pg_dump", patient.server_version, patient.pg_bin)
        find_exactly("pg_restore", program)
    except BackupFailed as error:
        yield Finding("pg-dump", Severity.ERROR, error.message, words(error.hint or ""), data=data)
    else:
        yield ok("pg-dump", str(program), **data | {"path": str(program.path), "version": program.version})
