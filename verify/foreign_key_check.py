"""SQLite's foreign_key_check as an independent proof of the generated orphan checks: it lists what they do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from verify.catalog import ForeignKey
from verify.model import CheckResult
from verify.quoting import quote_literal
from verify.reader import Reader, Take


def foreign_key_check_sql(keys: Collection[ForeignKey], only: Collection[tuple[str, int]] = ()) -> str:
    """The pragma as a check: all rows that it finds, or those of some (table, number of the key)."""
    where = _where(keys)
    if only:
        pairs = ", ".join(f"({quote_literal(table)}, {number})" for table, number in sorted(only))
        where += f'\n  AND (f."table", f.fkid) IN (VALUES {pairs})'
    return (
        "SELECT f.\"table\" AS table_name, coalesce('rowid ' || f.\"rowid\", 'a row without rowid') AS row_key,\n"
        "       'foreign key ' || f.fkid || ' to ' || f.parent AS detail\n"
        f"{where}"
    )


def count_by_key(reader: Reader, table: str) -> dict[tuple[str, int], int]:
    """How many rows of a table the pragma finds, by (table, number of the key)."""
    rows = reader.query(
        f"SELECT f.fkid, count(*) FROM pragma_foreign_key_check({quote_literal(table)}, 'main') AS f GROUP BY 1"
    )
    return {(table, number): count for number, count in rows}


def compare_with_pragma(
    reader: Reader,
    results: Mapping[str, CheckResult],
    keys: Mapping[str, ForeignKey],
    counted: Mapping[tuple[str, int], int],
    take: Take,
) -> None:
    """Hand to ``take`` the rows of each foreign key on which the pragma and its orphan check disagree.

    ``counted`` is what the pragma finds by key. A key whose orphan check has not run (``only`` left it out) is reported
    whole: nothing else reports it.
    """
    unexplained = set(counted)
    checked = checked_tables(keys.values())
    for name, key in keys.items():
        result = results.get(name)
        if result is None or result.status == "skipped" or key.child not in checked or key.number is None:
            continue
        pragma = counted.get((key.child, key.number), 0)
        if pragma == result.violations:
            unexplained.discard((key.child, key.number))
        elif pragma < result.violations:
            detail = f"{name} finds {result.violations} rows, foreign_key_check {pragma}"
            take(key.child, f"foreign key {key.number}", detail)
    if unexplained:
        reader.stream(foreign_key_check_sql(keys.values(), unexplained), take)


def _where(keys: Collection[ForeignKey]) -> str:
    tables = ", ".join(quote_literal(child) for child in sorted(checked_tables(keys)))
    return (
        "FROM main.sqlite_master AS m JOIN pragma_foreign_key_check(m.name, 'main') AS f\n"
        f"WHERE m.type = 'table' AND m.name IN ({tables})"
    )


def checked_tables(keys: Collection[ForeignKey]) -> set[str]:
    """Where the pragma can be run: a mismatched key of a table ends it with an error (the key's own check tells)."""
    return {key.child for key in keys} - {key.child for key in keys if key.problem}
