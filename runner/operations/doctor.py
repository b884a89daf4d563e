"""How database, machine and files are: every probe looks, and nothing is changed."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from runner.backup.store import default_folder
from runner.dialects import connect
from runner.doctor import PROBES, Probe
from runner.doctor.patient import Patient
from runner.domain.finding import DoctorReport, Finding, Severity, words
from runner.domain.state import Standing
from runner.domain.url import DatabaseUrl
from runner.errors import MaxwellError, UsageError
from runner.interruption import watched
from runner.operations.project import Project

#: No probe waits longer for a table that a migration holds, or for another program's write.
_LOCK_SECONDS = 2
_STATEMENT_SECONDS = 60  # unless every row is to be counted


def examine(
    project: Project,
    only: Collection[str] | None = None,
    backup_dir: Path | None = None,
    *,
    pg_bin: Path | None = None,
    exact: bool = False,
) -> DoctorReport:
    """Let the probes look, or those that ``only`` names, on a read-only connection; takes no lock, writes nothing.

    What one may not read becomes a finding of its own, and the others go on. A folder of migrations that is refused is
    a finding too. UsageError for a database that is not there or a probe that nobody knows, ConnectionFailed.
    """
    probes = _chosen(only)
    url = project.url
    with closing(connect(url, read_only=True)) as connection, watched(connection):
        _bound_waits(connection, url, exact)
        patient = Patient(
            url, connection, _standing(project, connection), backup_dir or default_folder(url), pg_bin, exact
        )
        findings = [finding for probe in probes for finding in _look(probe, patient)]
    return DoctorReport(tuple(probe.name for probe in probes), tuple(findings))


def _chosen(only: Collection[str] | None) -> tuple[Probe, ...]:
    if not only:
        return PROBES
    names = [probe.name for probe in PROBES]
    for name in only:
        if name not in names:
            raise UsageError(
                f"there is no probe '{name}'", code="UNKNOWN_PROBE", hint=f"The probes are {', '.join(names)}."
            )
    return tuple(probe for probe in PROBES if probe.name in only)


def _bound_waits(connection: Any, url: DatabaseUrl, exact: bool) -> None:
    with closing(connection.cursor()) as cursor:
        if url.dialect == "sqlite":
            cursor.execute(f"PRAGMA busy_timeout = {_LOCK_SECONDS * 1000}")
        else:
            cursor.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
            cursor.execute(f"SET statement_timeout = '{0 if exact else _STATEMENT_SECONDS}s'")


def _standing(project: Project, connection: Any) -> Standing | MaxwellError:
    try:
        return project.standing(connection)
    except MaxwellError as error:
        return error
    except connection.Error as error:
        return MaxwellError(
            f"the records of migrations cannot be read: {_one_line(error)}",
            code="DATABASE_ERROR",
            hint=_unread_cure(error),
        )


def _look(probe: Probe, patient: Patient) -> list[Finding]:
    found: list[Finding] = []
    try:
        for finding in probe.look(patient):
            found.append(finding)  # one by one: what was found before a failure counts
    except (patient.connection.Error, OSError) as error:
        if getattr(patient.connection, "closed", 0):
            raise  # the session is gone, and nothing more can be looked at
        cure, text = words(_unread_cure(error)), _one_line(error)
        if _is_damage(error):
            found.append(Finding("damaged", Severity.ERROR, f"the database is damaged: {text}", cure, probe.name))
        else:
            message = f"{probe.name}: not everything could be looked at: {text}"
            found.append(Finding("not-looked-at", Severity.WARN, message, cure, probe.name))
    return found


def _is_damage(error: BaseException) -> bool:
    name, code = getattr(error, "sqlite_errorname", "") or "", getattr(error, "pgcode", "") or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or code in ("XX001", "XX002")


def _unread_cure(error: BaseException) -> str:
    if _is_damage(error):
        return "Restore the newest backup that is sound: maxwell-db restore FILE"
    if getattr(error, "pgcode", None) == "42501":
        return "Give the role the right to read it: GRANT SELECT ON ... TO it, or GRANT pg_read_all_data TO it."
    return "Try again when what holds the database is over."


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
