"""How far a database that Alembic made has the schema of one of our versions, and what to do where it has not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from runner.catalog import Catalog
from runner.catalog.affinity import spelt_alike
from runner.catalog.closing import Closing, Texts, close, creating_texts
from runner.dialects import connect
from runner.domain.quoting import quote_name
from runner.domain.state import MigrationStatus, Standing
from runner.errors import Interrupted, MaxwellError, SchemaError
from runner.interruption import watched
from runner.operations.comparison import Comparison, Schema, compare, schema_of
from runner.operations.expected import build
from runner.operations.project import Project
from runner.scratch import scratch_database

_WAY_OUT = "Or adopt without comparing: --force."


@dataclass(frozen=True)
class _Made:
    """What the migrations make on a scratch database: at the version, and after each later one, if that was asked."""

    expected: Schema
    texts: Texts
    later: tuple[tuple[MigrationStatus, Catalog], ...]


class Examiner:
    """Holds a schema against that of the migrations ``kept``. Those are run once, on a scratch database."""

    def __init__(
        self,
        project: Project,
        standing: Standing,
        kept: Sequence[MigrationStatus],
        place: str,
        force: bool,
        scratch: str | None,
    ) -> None:
        self._project = project
        self._kept = kept
        self._after = standing.migrations[len(kept) :]
        self._place = place
        self._force = force
        self._scratch = scratch
        self._made: _Made | None = None

    def judge(self, found: Schema, connection: Any) -> Comparison:
        """SchemaError where ``found`` differs, unless that is forced; MaxwellError where it cannot be found out.

        On ``connection``, if there is one, the rows of tables that nobody knows are counted.
        """
        try:
            made = self._made = self._made or self._make(found)
        except Interrupted:
            raise
        except MaxwellError as error:
            if not self._force:
                error.hint = f"{error.hint or ''} {_WAY_OUT}".strip()
                raise
            return Comparison((), (f"not compared: {error.message}",), compared=False)
        comparison = _compare(made.expected, found)
        if not comparison.differences:
            return comparison
        rows = {} if connection is None else _rows(connection, made.expected.catalog, found.catalog)
        closed = close(comparison.differences, made.expected.catalog, found.catalog, made.texts, rows)
        comparison = replace(comparison, closing=closed.statements, left=closed.left)
        if not self._force:
            raise self._refusal(comparison, made, found, closed)
        return comparison

    def _make(self, found: Schema) -> _Made:
        """Where the schema differs from that of the version, the later ones may say why."""
        url, dialect = self._project.url, self._project.url.dialect
        with (
            scratch_database(url, scratch=self._scratch) as place,
            closing(connect(place, what="scratch")) as connection,
            watched(connection),
        ):
            build(place, connection, [item.migration for item in self._kept if item.migration])
            expected, texts = schema_of(connection, dialect), creating_texts(connection, dialect)
            later: list[tuple[MigrationStatus, Catalog]] = []
            if _compare(expected, found).differences:
                for item in self._after:
                    try:
                        build(place, connection, [item.migration] if item.migration else [])
                    except Interrupted:
                        raise
                    except MaxwellError:
                        break  # it is another migration's fault, and only keeps us from knowing more
                    later.append((item, schema_of(connection, dialect).catalog))
            return _Made(expected, texts, tuple(later))

    def _refusal(self, comparison: Comparison, made: _Made, found: Schema, closed: Closing) -> SchemaError:
        number = len(comparison.differences)
        message = f"the database does not have the schema of {self._place}: {number} difference{'s' * (number != 1)}"
        begun = self._begun(made, found)
        very = next((item for item, there in made.later if not _compare(Schema(there, 0), found).differences), None)
        if very is not None:
            hint = f"It has the very schema of a later version: maxwell-db adopt --at {very.id}"
        elif begun is not None and self._project.url.dialect == "sqlite":
            name, parts = begun
            message += f". Of {name} there is a part already ({parts}): Alembic stopped half way in it"
            hint = (
                "On SQLite Alembic takes nothing back when a revision fails. The SQL above takes the part away: look "
                f"at the rows first, run it, and adopt again. (With --force as it is, 'apply' would stop at {name}.)"
            )
        elif not closed.left:
            hint = "Run the SQL above where it is right, and adopt again; or record it all the same: --force."
        else:
            hint = (
                "Run the SQL above, if there is any, where it is right. What no statement closes, a migration of your "
                "own can mend when the database is adopted: maxwell-db adopt --force."
            )
        error = SchemaError(message, code="SCHEMA_MISMATCH", hint=hint)
        error.differences, error.notes = comparison.differences, comparison.notes
        error.closing, error.left = comparison.closing, comparison.left
        return error

    def _begun(self, made: _Made, found: Schema) -> tuple[str, str] | None:
        """The next migration, if a part of what it makes is there, and which part."""
        if not made.later:
            return None
        item, after = made.later[0]
        parts = (_names(after) - _names(made.expected.catalog)) & _names(found.catalog)
        tables = sorted(table for table, column in parts if not column)
        columns = sorted(f"{table}.{column}" for table, column in parts if column and table not in tables)
        shown = [f"{word} {', '.join(names)}" for word, names in (("tables", tables), ("columns", columns)) if names]
        return (item.revision or item.id, "; ".join(shown)) if shown else None


def _compare(expected: Schema, found: Schema) -> Comparison:
    """As SQLite takes types, if it is SQLite."""
    if expected.catalog.dialect == "postgres":
        return compare(expected, found)
    catalog, respelt = spelt_alike(expected.catalog, found.catalog)
    comparison = compare(expected, replace(found, catalog=catalog))
    if not respelt:
        return comparison
    note = f"spelt differently, and the same type to SQLite: {', '.join(respelt)}"
    return replace(comparison, notes=(*comparison.notes, note))


def _names(catalog: Catalog) -> set[tuple[str, str]]:
    """Tables, and with them their columns."""
    names = {(table.name, "") for table in catalog.tables}
    return names | {(table.name, column.name) for table in catalog.tables for column in table.columns}


def _rows(connection: Any, expected: Catalog, found: Catalog) -> dict[str, int]:
    """How many rows the tables have of which the version knows nothing."""
    known = {table.name for table in expected.tables}
    rows = {}
    with closing(connection.cursor()) as cursor:
        for table in found.tables:
            if table.name not in known and table.kind == "table":
                cursor.execute(f"SELECT count(*) FROM {quote_name(table.name)}")
                rows[table.name] = int(cursor.fetchone()[0])
    return rows
