"""Did the rows that a migration does not concern stay as they were, there and back?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from runner.catalog.model import Catalog, Table
from runner.domain.quoting import quote_name
from runner.rehearsal.model import Finding


@dataclass(frozen=True)
class Contents:
    """The rows of one table, each value as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def of(self, columns: Sequence[str]) -> Counter[tuple[str | None, ...]]:
        """Some of the columns of all rows."""
        places = [self.columns.index(column) for column in columns]
        return Counter(tuple(row[place] for place in places) for row in self.rows)


def contents(connection: Any, catalog: Catalog) -> Mapping[str, Contents]:
    """Every row of every table."""
    found = {}
    for table in catalog.tables:
        if table.kind != "table" or table.partition or not table.columns:
            continue
        columns = tuple(column.name for column in table.columns)
        with closing(connection.cursor()) as cursor:
            cursor.execute(
                f"SELECT {', '.join(_text(name, catalog) for name in columns)} FROM {quote_name(table.name)}"
            )
            rows = tuple(tuple(map(_canonical, row)) for row in cursor.fetchall())
            found[table.name] = Contents(columns, rows)
    return found


@dataclass(frozen=True)
class Version:
    """A schema and the rows in it."""

    catalog: Catalog
    rows: Mapping[str, Contents]


def there_and_back(
    before: Version, above: Version, full: Version, back: Version, expect_row_loss: Collection[str]
) -> list[Finding]:
    """What a rollback did to rows: ``before`` the migration, ``above`` it, ``full``: with more rows, ``back`` down.

    A value that the migration leaves alone must be left alone by its rollback, in rows made since too: else an error. A
    value that the migration changes ought to come back: else a warning. Where the migration may delete rows, those that
    it did not delete itself have to outlive its rollback.
    """
    findings = []
    for table in before.catalog.tables:
        if table.name not in back.rows or table.name not in before.rows:
            continue
        untouched = _untouched(table, before, above, full)
        finding = _changed(table, untouched, full, back) or _not_restored(table, before, back)
        if table.name in expect_row_loss:
            finding = _deleted(table, before, above, back) or finding
        if finding:
            findings.append(finding)
    return findings


def _untouched(table: Table, before: Version, above: Version, full: Version) -> list[str]:
    """The columns that are there before and above, of one type, with the same values."""
    twin = full.catalog.by_name.get(table.name)
    if twin is None or table.name not in above.rows:
        return []
    old, new = before.rows[table.name], above.rows[table.name]
    return [
        column.name
        for column in table.columns
        if (same := twin.by_name.get(column.name)) is not None
        and same.type == column.type
        and old.of([column.name]) == new.of([column.name])
    ]


def _changed(table: Table, columns: list[str], full: Version, back: Version) -> Finding | None:
    if not columns:
        return None
    there, now = full.rows[table.name], back.rows[table.name]
    if len(now.rows) < len(there.rows):
        return None  # the checks tell of rows that are gone
    there_is = [column for column in columns if column in now.columns]
    if not (lost := there.of(there_is) - now.of(there_is)):
        return None
    names = [name for name in there_is if there.of([name]) != now.of([name])] or there_is
    return Finding(
        "values-changed",
        "error",
        f"the rollback changes {', '.join(names)} in {lost.total()} rows of {table.name}; "
        "the migration leaves that alone",
    )


def _deleted(table: Table, before: Version, above: Version, back: Version) -> Finding | None:
    """Rows that were there before and above, and are not any more; by their key, or whole without one."""
    old, now = before.rows[table.name], back.rows[table.name]
    if table.name not in above.rows:
        return None
    key = table.primary_key.columns if table.primary_key else old.columns
    if not set(key) <= set(above.rows[table.name].columns) & set(now.columns):
        return None
    lost = (old.of(key) & above.rows[table.name].of(key)) - now.of(key)
    if not lost:
        return None
    message = f"the rollback deletes {lost.total()} rows of {table.name} that were there before the migration"
    return Finding("rows-lost", "error", message)


def _not_restored(table: Table, before: Version, back: Version) -> Finding | None:
    old, now = before.rows[table.name], back.rows[table.name]
    columns = [column for column in old.columns if column in now.columns]
    lost = old.of(columns) - now.of(columns)
    if not columns or not lost or len(now.rows) < len(old.rows):
        return None
    names = [name for name in columns if old.of([name]) - now.of([name])] or columns
    return Finding(
        "values-not-restored",
        "warn",
        f"up and down again, {lost.total()} rows of {table.name} are not what they were: {', '.join(names)}",
    )


def _canonical(text: str | None) -> str | None:
    """A JSON text with its keys in order and without white space: what SQLite's functions write otherwise."""
    if text is None or not text.lstrip("'").startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text.strip("'").replace("''", "'")), sort_keys=True)
    except ValueError:
        return text


def _text(name: str, catalog: Catalog) -> str:
    return f"quote({quote_name(name)})" if catalog.dialect == "sqlite" else f"{quote_name(name)}::text"
