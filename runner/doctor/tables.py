"""How large each table is, and how many rows it has: counted where that is quick, else about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.catalog.model import is_bookkeeping
from runner.dialects import tables
from runner.doctor.patient import Patient, count_text, size_text
from runner.domain.finding import Finding, Severity, ok
from runner.domain.quoting import quote_text

#: Above this size the rows of a table (on SQLite: of the whole file) are counted only when that is asked for.
COUNTED_BYTES = 64 * 1024 * 1024
_AT_ONCE = 100  # tables in one statement


@dataclass(frozen=True)
class Size:
    """One table. ``rows`` None: not known; ``exact`` False: about. ``bytes`` is with its indexes; None: not known."""

    name: str
    rows: int | None
    exact: bool
    bytes: int | None


def look(patient: Patient) -> Iterator[Finding]:
    sizes = _sqlite(patient) if patient.dialect == "sqlite" else _postgres(patient)
    sizes.sort(key=lambda size: (-(size.bytes or 0), -(size.rows or 0), size.name))
    rows = sum(size.rows or 0 for size in sizes)
    about = "" if all(size.exact for size in sizes) else "about "
    known = [size.bytes for size in sizes if size.bytes is not None]
    total = f", {size_text(sum(known))}" if known else ""
    yield ok("tables", f"{count_text(len(sizes), 'table')}, {about}{count_text(rows, 'row')}{total}", tables=[
        {"name": size.name, "rows": size.rows, "exact": size.exact, "bytes": size.bytes} for size in sizes
    ])  # fmt: skip
    unknown = [size.name for size in sizes if size.rows is None]
    if unknown:
        message = f"the rows of {count_text(len(unknown), 'table')} are not known: {', '.join(unknown[:5])}"
        yield Finding("rows-unknown", Severity.INFO, message, data={"tables": unknown})


def _postgres(patient: Patient) -> list[Size]:
    """Partitions one by one, the table that they make up not at all."""
    found = patient.query(
        """
        SELECT c.relname::text, pg_total_relation_size(c.oid), greatest(c.reltuples, s.n_live_tup)::bigint,
               c.reltuples < 0 AND coalesce(s.n_live_tup, 0) = 0,
               has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
        WHERE n.nspname = current_schema() AND c.relkind = 'r'
        """
    )
    found = [row for row in found if not is_bookkeeping(row[0])]
    counted = [name for name, size, _, _, readable in found if readable and (patient.exact or size <= COUNTED_BYTES)]
    rows = _count(patient, counted)
    return [
        Size(name, rows.get(name, None if unknown else about), name in rows, size)
        for name, size, about, unknown, _ in found
    ]


def _sqlite(patient: Patient) -> list[Size]:
    names = [
        name
        for (name,) in patient.query(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
        )
        if not (is_bookkeeping(name) or name.startswith("sqlite_"))
    ]
    if not patient.exact and patient.path.stat().st_size > COUNTED_BYTES:
        return [Size(name, _about(patient, name), False, None) for name in names]
    rows, sizes = _count(patient, names), _sqlite_sizes(patient)
    return [Size(name, rows[name], True, sizes.get(name)) for name in names]


def _count(patient: Patient, names: Sequence[str]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for start in range(0, len(names), _AT_ONCE):
        parts = [
            f"SELECT {quote_text(name)}, count(*) FROM {patient.in_schema(name)}"
            for name in names[start : start + _AT_ONCE]
        ]
        rows |= dict(patient.query(" UNION ALL ".join(parts)))
    return rows


def _sqlite_sizes(patient: Patient) -> dict[str, int]:
    """Of each table with its indexes; nothing where this SQLite was built without the table that says it."""
    try:
        return dict(
            patient.query(
                "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat AS s JOIN sqlite_master AS m ON m.name = s.name"
                " WHERE s.aggregate = 1 GROUP BY m.tbl_name"
            )
        )
    except patient.connection.Error:
        return {}


def _about(patient: Patient, name: str) -> int | None:
    """From the statistics of ANALYZE, else the largest rowid: found without reading the table."""
    if "sqlite_stat1" in tables(patient.connection, "sqlite"):
        for (text,) in patient.query(
            "SELECT stat FROM sqlite_stat1 WHERE tbl = ? AND stat IS NOT NULL LIMIT 1", (name,)
        ):
            return int(text.split()[0])
    try:
        largest = patient.value(f"SELECT max(rowid) FROM {patient.in_schema(name)}")
    except patient.connection.Error:  # WITHOUT ROWID
        return None
    return max(int(largest or 0), 0)
