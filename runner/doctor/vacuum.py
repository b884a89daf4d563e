"""PostgreSQL: dead rows, statistics that are missing, and how far transaction ids are from their end."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_sql

DEAD_ROWS, DEAD_PART = 10_000, 0.2  # fewer than both are autovacuum's daily work
MANY_ROWS = 1_000
_LAST_ID = 2**31
_REFUSED = 10_000_000  # so many ids before the last one the server stops taking writes, or soon after

_TABLES = """
SELECT s.relname::text, s.n_live_tup, s.n_dead_tup, greatest(s.last_vacuum, s.last_autovacuum)::text,
       greatest(c.reltuples, s.n_live_tup, s.n_mod_since_analyze)::bigint,
       coalesce(s.last_analyze, s.last_autoanalyze) IS NULL AND c.reltuples <= 0,
       coalesce('autovacuum_enabled=false' = ANY (c.reloptions) OR 'autovacuum_enabled=off' = ANY (c.reloptions), false)
FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid
WHERE s.schemaname = current_schema()
ORDER BY s.n_dead_tup DESC, s.relname
"""

_AGE = """
SELECT greatest(age(datfrozenxid), mxid_age(datminmxid)), current_setting('autovacuum_freeze_max_age')::bigint,
       (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm', 't') ORDER BY greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)) DESC LIMIT 1)
FROM pg_database WHERE datname = current_database()
"""


def look(patient: Patient) -> Iterator[Finding]:
    if patient.dialect == "sqlite":
        return
    tidy = True
    for table, live, dead, last, rows, never, off in patient.query(_TABLES):
        name = patient.in_schema(table)
        if dead > DEAD_ROWS and dead > DEAD_PART * (live + dead):
            tidy = False
            yield Finding(
                "dead-rows",
                Severity.WARN,
                f"{table}: {dead:,} dead rows beside about {live:,} live ones; "
                f"{f'last vacuumed {last[:19]}' if last else 'never vacuumed'}",
                run_sql(f"VACUUM (ANALYZE) {name};"),
                table,
                {"live": live, "dead": dead, "last_vacuum": last},
            )
        if never and rows >= MANY_ROWS:
            tidy = False
            message = f"{table}: about {rows:,} rows and no statistics, so that queries are planned blindly"
            yield Finding("never-analyzed", Severity.INFO, message, run_sql(f"ANALYZE {name};"), table)
        if off:
            tidy = False
            cure = run_sql(f"ALTER TABLE {name} RESET (autovacuum_enabled);")
            yield Finding("autovacuum-off", Severity.WARN, f"{table}: autovacuum is switched off for it", cure, table)
    if tidy:
        yield ok("vacuum", "no table has many dead rows, or no statistics")
    ((age, freeze, oldest),) = patient.query(_AGE)
    yield judge_age(age, freeze, oldest)


def judge_age(age: int, freeze: int, oldest: str | None) -> Finding:
    """How many ids ago the oldest row was written, of which autovacuum takes care from ``freeze`` on.

    An age far beyond that means that something keeps autovacuum from getting through.
    """
    data = {"age": age, "of": _LAST_ID, "oldest": oldest}
    message = f"{age / _LAST_ID:.1%} of the transaction ids are in use"
    if age < min(2 * freeze, _LAST_ID // 2):
        return ok("wraparound", message, **data)
    cure = run_sql(f"VACUUM (FREEZE, VERBOSE) {oldest};\n-- then: VACUUM (FREEZE);")
    severity = Severity.ERROR if age > _LAST_ID - _REFUSED else Severity.WARN
    message += f"; at the end the server takes no more writes. The oldest are in {oldest}"
    return Finding("wraparound", severity, message, cure, data=data)
