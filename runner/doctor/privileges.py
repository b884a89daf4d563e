"""What the role, or the user of this machine, may do: whatever a deploy needs."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor.patient import Patient
from runner.domain.finding import Finding


def look(patient: Patient) -> Iterator[Finding]:
    if patient.dialect == "sqlite":
        from runner.doctor import privileges_sqlite

        return privileges_sqlite.look(patient)
    from runner.doctor import privileges_postgres

    return privileges_postgres.look(patient)
