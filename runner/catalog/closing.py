"""SQL that brings a database's schema to the expected one, where a single statement does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from runner.catalog.compare import Difference
from runner.catalog.model import Catalog, Check, Column, ForeignKey, Table, Unique, sql_name
from runner.domain.migration import Dialect
from runner.domain.quoting import quote_name

Texts = Mapping[tuple[str, str], str]  # the CREATE of an object, by its kind and its name as a Difference has it

#: The order in which the statements have to run.
_ORDER = (
    *("drop trigger", "drop index", "drop constraint", "drop column", "drop table", "drop function"),
    *("function", "add column", "alter column", "constraint", "index", "trigger"),
)


@dataclass(frozen=True)
class Closing:
    """Statements that close differences, in the order in which they run, and the differences that they leave."""

    statements: tuple[str, ...]
    left: tuple[Difference, ...]


def creating_texts(connection: Any, dialect: Dialect) -> dict[tuple[str, str], str]:
    """How the indexes, triggers, functions and PostgreSQL's constraints are made. Reads only."""
    with closing(connection.cursor()) as cursor:
        if dialect == "sqlite":
            cursor.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master"
                " WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
            )
            return {(kind, f"{sql_name(name)} on {sql_name(table)}"): text for kind, name, table, text in cursor}
        cursor.execute(
            """
            SELECT 'index', c.relname::text, t.relname::text, pg_get_indexdef(c.oid)
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid)
            UNION ALL
            SELECT 'trigger', g.tgname::text, t.relname::text, pg_get_triggerdef(g.oid)
            FROM pg_trigger AS g JOIN pg_class AS t ON t.oid = g.tgrelid
            JOIN pg_namespace AS n ON n.oid = t.relnamespace
            WHERE n.nspname = current_schema() AND NOT g.tgisinternal
            UNION ALL
            SELECT CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'u' THEN 'unique constraint' ELSE 'check' END,
                   k.conname::text, t.relname::text, pg_get_constraintdef(k.oid)
            FROM pg_constraint AS k JOIN pg_class AS t ON t.oid = k.conrelid
            JOIN pg_namespace AS n ON n.oid = t.relnamespace
            WHERE n.nspname = current_schema() AND k.contype IN ('f', 'u', 'c', 'n')
            UNION ALL
            SELECT 'function', quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')', NULL,
                   pg_get_functiondef(p.oid)
            FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
            WHERE n.nspname = current_schema() AND p.prokind = 'f'
            """
        )
        return {
            (kind, name if table is None else f"{sql_name(name)} on {sql_name(table)}"): text.rstrip()
            for kind, name, table, text in cursor
        }


def close(
    differences: Iterable[Difference], expected: Catalog, found: Catalog, texts: Texts, rows: Mapping[str, int]
) -> Closing:
    """What closes the differences between two catalogs of one dialect.

    ``texts`` are the expected database's; ``rows`` say how many rows a table that is dropped holds.
    """
    closer = _Closer(expected, found, texts, rows)
    steps: list[tuple[int, int, str]] = []
    left = []
    for difference in differences:
        found_steps = list(closer.steps(difference))
        if not found_steps:
            left.append(difference)
        steps += [(_ORDER.index(what), place, sql) for what, place, sql in found_steps]
    return Closing(tuple(sql for _, _, sql in sorted(steps)), tuple(left))


@dataclass(frozen=True)
class _Closer:
    """What is compared, for the statements that close the gaps."""

    expected: Catalog
    found: Catalog
    texts: Texts
    rows: Mapping[str, int]

    def steps(self, difference: Difference) -> Iterator[tuple[str, int, str]]:
        """What each statement does, its place among those that do the same, and it; nothing where none is simple."""
        match difference.kind:
            case "column":
                for what, sql in self._column(difference):
                    yield what, 0, sql
            case "index" | "trigger" | "function":
                for what, sql in self._object(difference):
                    yield what, 0, sql
            case "foreign key" | "unique constraint" | "check" if self.expected.dialect == "postgres":
                for what, sql in self._constraint(difference):
                    yield what, 0, sql
            case "table" if difference.problem == "unexpected":
                table = _tables(self.found).get(difference.name)
                if table is not None and table.kind == "table":
                    rows = self.rows.get(table.name)
                    note = "" if rows is None else f"  -- {rows} row{'' if rows == 1 else 's'}"
                    yield "drop table", self._depth(table), f"DROP TABLE {quote_name(table.name)};{note}"

    def _depth(self, table: Table) -> int:
        """Children before their parents: how many tables of the way up there are, counted backwards."""
        depth, level, seen = 0, {table.name}, {table.name}
        while level:
            level = {key.parent for one in self.found.tables if one.name in level for key in one.foreign_keys} - seen
            seen |= level
            depth += bool(level)
        return -depth

    def _object(self, difference: Difference) -> Iterator[tuple[str, str]]:
        kind = difference.kind
        text = self.texts.get((kind, difference.name))
        if difference.problem != "unexpected" and text is None:
            return
        # CREATE OR REPLACE FUNCTION changes one that is there.
        if difference.problem != "missing" and not (kind == "function" and text):
            yield f"drop {kind}", self._drop(difference)
        if text is not None and difference.problem != "unexpected":
            yield kind, f"{text};"

    def _drop(self, difference: Difference) -> str:
        if difference.kind == "function":
            return f"DROP FUNCTION {difference.name};"  # its name comes quoted, with the types of its arguments
        there = self.found.indexes if difference.kind == "index" else self.found.triggers
        one = next(one for one in there if f"{sql_name(one.name)} on {sql_name(one.table)}" == difference.name)
        on = f" ON {quote_name(one.table)}" if difference.kind == "trigger" and self.found.dialect == "postgres" else ""
        return f"DROP {difference.kind.upper()} {quote_name(one.name)}{on};"

    def _column(self, difference: Difference) -> Iterator[tuple[str, str]]:
        table, name, wanted, there = self._both(difference.name)
        if table is None:
            return
        alter, column = f"ALTER TABLE {quote_name(table)}", quote_name(name)
        if wanted is None:
            yield "drop column", f"{alter} DROP COLUMN {column};  -- with what is in it"
        elif there is None:
            if self.expected.dialect == "postgres" or (wanted.nullable and wanted.default is None):
                yield "add column", f"{alter} ADD COLUMN {column} {wanted.sql};"
        elif self.expected.dialect == "postgres":
            simple = replace(there, type=wanted.type, default=wanted.default, nullable=wanted.nullable)
            if simple == wanted and wanted.generated is None:
                for change in _changes(wanted, there):
                    yield "alter column", f"{alter} ALTER COLUMN {column} {change};"

    def _both(self, name: str) -> tuple[str | None, str, Column | None, Column | None]:
        """Table and column that a difference's name means, as expected and as found."""
        for table, column in _columns(self.expected, self.found):
            if f"{sql_name(table)}.{sql_name(column)}" == name:
                one, other = (
                    tables[table].by_name.get(column) if (tables := _by_name(catalog)).get(table) else None
                    for catalog in (self.expected, self.found)
                )
                return table, column, one, other
        return None, "", None, None

    def _constraint(self, difference: Difference) -> Iterator[tuple[str, str]]:
        key = difference.kind, difference.name
        wanted, there = _constraints(self.expected).get(key), _constraints(self.found).get(key)
        if there is not None:
            table, name = map(quote_name, there)
            yield "drop constraint", f"ALTER TABLE {table} DROP CONSTRAINT {name};"
        if wanted is not None and key in self.texts:
            table, name = map(quote_name, wanted)
            yield "constraint", f"ALTER TABLE {table} ADD CONSTRAINT {name} {self.texts[key]};"


def _changes(wanted: Column, there: Column) -> Iterator[str]:
    if wanted.type != there.type:
        yield f"TYPE {wanted.type} USING {quote_name(wanted.name)}::{wanted.type}"
    if wanted.default != there.default:
        yield "DROP DEFAULT" if wanted.default is None else f"SET DEFAULT {wanted.default}"
    if wanted.nullable != there.nullable:
        yield "DROP NOT NULL" if wanted.nullable else "SET NOT NULL"


def _by_name(catalog: Catalog) -> dict[str, Table]:
    return {table.name: table for table in catalog.tables}


def _tables(catalog: Catalog) -> dict[str, Table]:
    return {sql_name(table.name): table for table in catalog.tables}


def _columns(*catalogs: Catalog) -> Iterator[tuple[str, str]]:
    for catalog in catalogs:
        for table in catalog.tables:
            for column in table.columns:
                yield table.name, column.name


def _constraints(catalog: Catalog) -> dict[tuple[str, str], tuple[str, str]]:
    """Table and name of each, by its kind and its name as a Difference has it."""
    found = {}
    for table in catalog.tables:
        groups: tuple[tuple[str, tuple[Unique | ForeignKey | Check, ...]], ...] = (
            ("unique constraint", table.uniques),
            ("foreign key", table.foreign_keys),
            ("check", table.checks),
        )
        for kind, constraints in groups:
            for one in constraints:
                if one.name:
                    found[kind, f"{sql_name(one.name)} on {sql_name(table.name)}"] = (table.name, one.name)
    return found
