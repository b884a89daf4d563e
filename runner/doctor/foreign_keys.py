"""Foreign keys whose columns no index leads to: each delete of a parent, and each join, reads the whole child table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from runner.doctor.patient import Patient, count_text
from runner.domain.finding import Finding, Severity, ok, run_sql
from runner.domain.quoting import quote_name

#: In a smaller child table the missing index costs next to nothing.
MANY_ROWS = 1_000

# An index serves if its first columns are the key's, in whatever order. One that leaves out NULLs alone serves too.
_POSTGRES = """
SELECT t.relname::text, t.relkind = 'p', array_agg(a.attname::text ORDER BY k.place), p.relname::text,
       greatest(t.reltuples, s.n_live_tup)::bigint
FROM pg_constraint AS f
JOIN pg_class AS t ON t.oid = f.conrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_class AS p ON p.oid = f.confrelid
LEFT JOIN pg_stat_user_tables AS s ON s.relid = t.oid
CROSS JOIN LATERAL unnest(f.conkey) WITH ORDINALITY AS k(attnum, place)
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum
WHERE f.contype = 'f' AND f.conparentid = 0 AND n.nspname = current_schema() AND NOT EXISTS (
    SELECT FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS m ON m.oid = c.relam
    WHERE i.indrelid = f.conrelid AND i.indisvalid AND m.amname IN ('btree', 'hash')
      AND (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
      AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = (
          SELECT format('(%I IS NOT NULL)', e.attname) FROM pg_attribute AS e
          WHERE e.attrelid = f.conrelid AND e.attnum = f.conkey[1] AND cardinality(f.conkey) = 1))
)
GROUP BY f.oid, t.relname, t.relkind, t.reltuples, p.relname, s.n_live_tup
ORDER BY t.relname, f.oid
"""

_SQLITE = """
SELECT m.name, f.id, f."from", f."table"
FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY m.name, f.id DESC, f.seq
"""


@dataclass(frozen=True)
class _Unindexed:
    """A foreign key without an index."""

    table: str
    columns: tuple[str, ...]
    parent: str
    rows: int  # about; of SQLite no more than are asked for
    partitioned: bool = False


def look(patient: Patient) -> Iterator[Finding]:
    found = list(_sqlite(patient) if patient.dialect == "sqlite" else _postgres(patient))
    if not found:
        yield ok("foreign-keys", "every foreign key has an index")
        return
    taken = _names(patient)
    # Two keys over the same columns want one index.
    for one in dict.fromkeys(found):
        name = _free_name(one, taken)
        concurrently = "CONCURRENTLY " if patient.dialect == "postgres" and not one.partitioned else ""
        columns = ", ".join(map(quote_name, one.columns))
        many = one.rows >= MANY_ROWS
        yield Finding(
            "unindexed-foreign-key",
            Severity.WARN if many else Severity.INFO,
            f"{one.table} ({', '.join(one.columns)}) refers to {one.parent}, and has no index: each delete there reads "
            f"all of {one.table}" + (f", {_rows(patient, one)}" if many else ""),
            run_sql(f"CREATE INDEX {concurrently}{quote_name(name)} ON {patient.in_schema(one.table)} ({columns});"),
            f"{one.table} ({', '.join(one.columns)})",
            {"table": one.table, "columns": list(one.columns), "parent": one.parent},
        )


def _rows(patient: Patient, one: _Unindexed) -> str:
    return f"{MANY_ROWS:,} rows or more" if patient.dialect == "sqlite" else f"about {count_text(one.rows, 'row')}"


def _postgres(patient: Patient) -> Iterator[_Unindexed]:
    for table, partitioned, columns, parent, rows in patient.query(_POSTGRES):
        yield _Unindexed(table, tuple(columns), parent, max(rows, 0), partitioned)


def _sqlite(patient: Patient) -> Iterator[_Unindexed]:
    keys: dict[tuple[str, int], list[str]] = defaultdict(list)
    parents: dict[tuple[str, int], str] = {}
    for table, number, column, parent in patient.query(_SQLITE):
        keys[table, number].append(column)
        parents[table, number] = parent
    for (table, number), columns in keys.items():
        if _reads_all(patient, table, columns):
            quoted = patient.in_schema(table)
            rows = patient.value(f"SELECT count(*) FROM (SELECT 1 FROM {quoted} LIMIT {MANY_ROWS})")
            yield _Unindexed(table, tuple(columns), parents[table, number], int(rows))


def _reads_all(patient: Patient, table: str, columns: list[str]) -> bool:
    """What SQLite itself says: would it search for the children of one parent, or read the table?"""
    where = " AND ".join(f"{quote_name(column)} = ?" for column in columns)
    plan = patient.query(
        f"EXPLAIN QUERY PLAN SELECT 1 FROM {patient.in_schema(table)} WHERE {where}", ["x"] * len(columns)
    )
    # ANY( is a skip-scan, over an index that begins with another column.
    return not any(detail.startswith("SEARCH") and "ANY(" not in detail for *_, detail in plan)


def _names(patient: Patient) -> set[str]:
    if patient.dialect == "sqlite":
        return {name.lower() for (name,) in patient.query("SELECT name FROM sqlite_master")}
    rows = patient.query(
        "SELECT c.relname::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema()"
    )
    return {name for (name,) in rows}


def _free_name(one: _Unindexed, taken: set[str]) -> str:
    """``idx_scenes_pov_character_fk``, in PostgreSQL's 63 bytes; with a number where that is taken."""
    base = "_".join(["idx", one.table, *one.columns])
    for number in range(len(taken) + 1):
        end = f"_{number + 1}" if number else ""
        name = base.encode()[: 63 - len(end)].decode(errors="ignore") + end
        if name not in taken and name.lower() not in taken:
            taken.add(name)
            return name
    raise AssertionError("more names are taken than there are")
