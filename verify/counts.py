"""How many rows each user table holds, in one round trip for a few hundred tables."""

from __future__ import annotations

from verify.catalog import Catalog, Table
from verify.errors import VerifyError
from verify.quoting import quote_literal
from verify.reader import Reader, one_line

_AT_ONCE = 200  # SQLite joins no more than 500 SELECTs by UNION ALL


def count_rows(reader: Reader, catalog: Catalog) -> dict[str, int]:
    """Rows by table name. A SQLite table that a damaged file no longer yields is left out.

    Raises VerifyError if PostgreSQL refuses, for want of a privilege mostly.
    """
    tables = sorted(catalog.whole_tables, key=lambda table: table.name)
    counts: dict[str, int] = {}
    for start in range(0, len(tables), _AT_ONCE):
        counts |= _count(reader, tables[start : start + _AT_ONCE])
    return counts


def count_table(reader: Reader, table: Table) -> int:
    """The rows of one table. Raises the driver's error if a damaged file does not yield them."""
    ((rows,),) = reader.query(f"SELECT count(*) FROM {table.sql}")
    return int(rows)


def _count(reader: Reader, tables: list[Table]) -> dict[str, int]:
    parts = [f"SELECT {quote_literal(table.name)}, count(*) FROM {table.sql}" for table in tables]
    try:
        return {str(name): int(rows) for name, rows in reader.query("\nUNION ALL ".join(parts))}
    except reader.errors as error:
        if reader.was_cancelled(error):
            raise  # else whatever was not counted would look as if it had vanished
        if reader.dialect == "postgres":
            raise VerifyError(
                f"the rows cannot be counted: {one_line(error)}",
                code="CANNOT_READ",
                hint="The role must be allowed to read every table: GRANT pg_read_all_data TO it.",
                exit_code=1,
            ) from error
        if len(tables) == 1:
            return {}
        return {name: rows for table in tables for name, rows in _count(reader, [table]).items()}
