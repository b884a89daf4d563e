"""Settings of the file or of the server that decide how safe the data is, and who waits for whom."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from runner.doctor.patient import Patient, size_text
from runner.domain.finding import Finding, Severity, ok, run_command, run_sql, words
from runner.domain.quoting import quote_name

_LARGE_LOG = 64 * 1024 * 1024
_FREE_PART = 0.25  # of the file's pages
_FREE_BYTES = 10 * 1024 * 1024


def look(patient: Patient) -> Iterator[Finding]:
    return _sqlite(patient) if patient.dialect == "sqlite" else _postgres(patient)


def _sqlite(patient: Patient) -> Iterator[Finding]:
    """Only the journal mode WAL, the page size and auto_vacuum are the file's; all else each connection sets anew."""
    pragma = {
        name: patient.value(f"PRAGMA {name}")
        for name in ("journal_mode", "synchronous", "auto_vacuum", "page_size", "page_count", "freelist_count")
    }
    options = {option for (option,) in patient.query("PRAGMA compile_options")}
    enforced = "DEFAULT_FOREIGN_KEYS=1" in options
    if patient.path.stat().st_size == 0:
        yield Finding(
            "empty-file",
            Severity.WARN,
            f"{patient.path} has no bytes: it is an empty database, or what a copy onto a full disk left",
            words("If there was data in it, restore the newest backup: maxwell-db restore FILE"),
            str(patient.path),
        )
    data = pragma | {
        "synchronous": ("off", "normal", "full", "extra")[int(pragma["synchronous"])],
        "auto_vacuum": ("none", "full", "incremental")[int(pragma["auto_vacuum"])],
        "foreign_keys": "on" if enforced else "off",
        "encoding": patient.value("PRAGMA encoding"),
    }
    names = ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum", "page_size", "encoding")
    yield ok("settings", ", ".join(f"{name} {data[name]}" for name in names), **data)
    database = shlex.quote(str(patient.path))
    if pragma["journal_mode"] != "wal":
        yield Finding(
            "journal-mode",
            Severity.INFO,
            "readers wait while a migration writes, and a writer while anybody reads; in WAL mode they do not",
            run_command(f"sqlite3 {database} 'PRAGMA journal_mode = WAL'"),
        )
    if not enforced and _has_foreign_keys(patient):
        yield Finding(
            "foreign-keys-off",
            Severity.INFO,
            "SQLite enforces foreign keys only on connections that ask for it; the application's have to",
            run_sql("PRAGMA foreign_keys = ON;"),
        )
    free = int(pragma["freelist_count"]) * int(pragma["page_size"])
    if free > _FREE_BYTES and int(pragma["freelist_count"]) > _FREE_PART * int(pragma["page_count"]):
        yield Finding(
            "free-pages",
            Severity.INFO,
            f"{size_text(free)} of the file are free pages; SQLite uses them again, and VACUUM gives them back",
            run_command(f"sqlite3 {database} VACUUM"),
        )
    wal = Path(f"{patient.path.resolve()}-wal")
    if wal.exists() and wal.stat().st_size > max(_LARGE_LOG, patient.path.stat().st_size):
        yield Finding(
            "large-log",
            Severity.WARN,
            f"the write-ahead log has {size_text(wal.stat().st_size)}: some reader never ends, and keeps it from being "
            "written back",
            run_command(f"sqlite3 {database} 'PRAGMA wal_checkpoint(TRUNCATE)'"),
            str(wal),
        )


def _has_foreign_keys(patient: Patient) -> bool:
    return bool(
        patient.query(
            "SELECT 1 FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'"
            " AND m.sql NOT LIKE 'CREATE VIRTUAL%' LIMIT 1"
        )
    )


#: What each has to be, and what happens otherwise.
_UNSAFE = {
    "fsync": "a power failure can destroy the whole cluster",
    "full_page_writes": "a power failure can leave torn pages behind",
    "autovacuum": "dead rows are never cleared, and transaction ids run out",
    "track_counts": "autovacuum does not know which tables need it",
}


def _postgres(patient: Patient) -> Iterator[Finding]:
    names = (*_UNSAFE, "synchronous_commit", "server_encoding", "max_connections", "default_transaction_isolation")
    found = dict(patient.query("SELECT name, reset_val FROM pg_settings WHERE name = ANY(%s)", (list(names),)))
    yield ok("settings", ", ".join(f"{name} {found[name]}" for name in names if name in found), **found)
    for name, harm in _UNSAFE.items():
        if found.get(name) == "off":
            cure = run_sql(f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();")
            yield Finding("unsafe-setting", Severity.WARN, f"{name} is off: {harm}", cure, name)
    if found.get("server_encoding") != "UTF8":
        yield Finding(
            "database-encoding",
            Severity.WARN,
            f"the database's encoding is {found.get('server_encoding')}: not every text can be stored in it",
            words("Make a new database with ENCODING 'UTF8' TEMPLATE template0, and restore a backup into it."),
        )
    if patient.server_version >= 150000:
        yield from _collation(patient)


def _collation(patient: Patient) -> Iterator[Finding]:
    ((name, stored, actual),) = patient.query(
        "SELECT datname::text, datcollversion, pg_database_collation_actual_version(oid)"
        " FROM pg_database WHERE datname = current_database()"
    )
    yield from judge_collation(name, stored, actual)


def judge_collation(name: str, stored: str | None, actual: str | None) -> Iterator[Finding]:
    """The version of the rules for sorting texts by which the indexes were built, and the system's now."""
    if stored is not None and actual is not None and stored != actual:
        database = quote_name(name)
        yield Finding(
            "collation-version",
            Severity.WARN,
            f"the system sorts texts by version {actual} of its rules, the indexes were built by {stored}: they may "
            "miss rows and let doubles in",
            run_sql(f"REINDEX DATABASE {database};\nALTER DATABASE {database} REFRESH COLLATION VERSION;"),
        )
