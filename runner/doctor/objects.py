"""PostgreSQL: indexes that are not valid, and constraints that the old rows were never held against."""

from __future__ import annotations

from collections.abc import Iterator

from runner.doctor.patient import Patient
from runner.domain.finding import Finding, Severity, ok, run_sql
from runner.domain.quoting import quote_name

_INVALID = """
SELECT t.relname::text, i.relname::text,
       EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = x.indexrelid)
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = current_schema() AND NOT (x.indisvalid AND x.indisready AND x.indislive)
ORDER BY 1, 2
"""

# A constraint that is NOT ENFORCED (PostgreSQL 18) was never meant to be validated.
_UNVALIDATED = """
SELECT t.relname::text, k.conname::text
FROM pg_constraint AS k
JOIN pg_class AS t ON t.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = current_schema() AND NOT k.convalidated
  AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
ORDER BY 1, 2
"""


def look(patient: Patient) -> Iterator[Finding]:
    if patient.dialect == "sqlite":
        return
    sound = True
    for table, index, building in patient.query(_INVALID):
        sound = False
        if building:
            yield Finding("index-building", Severity.INFO, f"the index {index} on {table} is being built", None, index)
            continue
        name = patient.in_schema(index)
        # What a REINDEX CONCURRENTLY that failed leaves beside the index itself.
        leftover = index.rstrip("0123456789").endswith(("_ccnew", "_ccold"))
        cure = f"DROP INDEX CONCURRENTLY {name};" if leftover else f"REINDEX INDEX CONCURRENTLY {name};"
        message = f"the index {index} on {table} is not valid: it costs on every write, and serves no query"
        yield Finding("invalid-index", Severity.WARN, message, run_sql(cure), index)
    for table, constraint in patient.query(_UNVALIDATED):
        sound = False
        yield Finding(
            "unvalidated-constraint",
            Severity.WARN,
            f"the constraint {constraint} on {table} is NOT VALID: older rows may break it",
            run_sql(f"ALTER TABLE {patient.in_schema(table)} VALIDATE CONSTRAINT {quote_name(constraint)};"),
            constraint,
        )
    if sound:
        yield ok("objects", "every index and every constraint is valid")
