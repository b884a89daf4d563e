"""The programs and libraries at work, and the server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from runner import __version__
from runner.dialects import tables
from runner.dialects.versions import client_versions
from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_command, words
from runner.domain.migration import VERSION, version_key
from runner.ledger import LEDGER

#: The last minor release of each major version, as announced by the PostgreSQL project.
_LAST_RELEASE = {
    13: date(2025, 11, 13),
    14: date(2026, 11, 12),
    15: date(2027, 11, 11),
    16: date(2028, 11, 9),
    17: date(2029, 11, 8),
    18: date(2030, 11, 14),
}


def look(patient: Patient) -> Iterator[Finding]:
    client = client_versions(patient.dialect)
    yield ok("client-versions", ", ".join(f"{name} {number}" for name, number in client.items()), **client)
    if patient.dialect == "postgres":
        yield judge_server(patient.server_version, datetime.now(UTC).date())
    newest = _newest_tool(patient)
    if newest is not None:
        yield Finding(
            "newer-tool",
            Severity.WARN,
            f"the database was changed by maxwell-db {newest}, and this is {__version__}",
            run_command(f"pip install --upgrade 'maxwell-db>={newest}'"),
            data={"newest": newest},
        )


def _newest_tool(patient: Patient) -> str | None:
    """The newest version of us that worked on the database, if it is newer than this one."""
    if LEDGER not in tables(patient.connection, patient.dialect):
        return None
    rows = patient.query(f"SELECT tool_version FROM {LEDGER} WHERE tool_version IS NOT NULL GROUP BY 1")
    versions = [text for (text,) in rows if VERSION.fullmatch(text)]
    newest: str | None = max(versions, key=version_key, default=None)
    return newest if newest and version_key(newest) > version_key(__version__) else None


def judge_server(number: int, today: date) -> Finding:
    """A server's version, as it writes it itself: 160004."""
    major, shown = number // 10000, f"PostgreSQL {number // 10000}.{number % 10000}"
    last = _LAST_RELEASE.get(major)
    if last is None or today <= last:
        return ok("server-version", shown, version=number)
    return Finding(
        "server-version",
        Severity.WARN,
        f"{shown}: no corrections are made for PostgreSQL {major} since {last}",
        words("Upgrade the server (pg_upgrade); take a backup first: maxwell-db backup"),
        data={"version": number},
    )
