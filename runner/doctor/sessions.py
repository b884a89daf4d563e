"""PostgreSQL: transactions that are open for long, behind which a migration would wait for its locks."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_sql
from runner.domain.quoting import quote_text

LONG_SECONDS = 300


def look(patient: Patient) -> Iterator[Finding]:
    if patient.dialect == "sqlite":
        return
    old = patient.query(
        "SELECT pid, usename::text, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::int"
        " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND xact_start < clock_timestamp() - make_interval(secs => %s)"
        " ORDER BY xact_start",
        (LONG_SECONDS,),
    )
    for pid, user, name, state, seconds in old:
        yield Finding(
            "long-transaction",
            Severity.WARN,
            f"a transaction of {user}{f' ({name})' if name else ''} has been open for {seconds // 60} min ({state}): "
            "migrations wait for its locks, and dead rows for its end",
            run_sql(f"SELECT pg_terminate_backend({pid});"),
            str(pid),
        )
    prepared = patient.query(
        "SELECT gid, owner::text, extract(epoch FROM clock_timestamp() - prepared)::int FROM pg_prepared_xacts"
        " WHERE database = current_database() AND prepared < clock_timestamp() - make_interval(secs => %s)"
        " ORDER BY prepared",
        (LONG_SECONDS,),
    )
    for gid, owner, seconds in prepared:
        yield Finding(
            "prepared-transaction",
            Severity.WARN,
            f"a prepared transaction of {owner} has been waiting for {seconds // 60} min, and keeps its locks",
            run_sql(f"ROLLBACK PREPARED {quote_text(gid)};"),
            gid,
        )
    if not old and not prepared:
        yield ok("transactions", f"no transaction is open for longer than {LONG_SECONDS // 60} min")
