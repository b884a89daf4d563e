"""Writing rows one by one, so that one which is refused leaves the others: what filling tables asks of a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from runner.domain.migration import Dialect
from runner.domain.quoting import quote_name
from runner.rehearsal.values import Value

HOLE = "\0"  # for a value; no name and no expression has one
_PARENTS = 200  # rows of a parent to choose from

Row = dict[str, Value]


class Writer:
    """One connection to a scratch database."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect: Dialect = dialect

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """With foreign keys held to at once, on SQLite too."""
        lite = self._dialect == "sqlite"
        with closing(self._connection.cursor()) as cursor:
            if lite:
                cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute("BEGIN")
            try:
                if not lite:
                    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                yield
                cursor.execute("COMMIT")
            except BaseException:
                if not getattr(self._connection, "closed", False):
                    cursor.execute("ROLLBACK")
                raise
            finally:
                if lite:
                    cursor.execute("PRAGMA foreign_keys = OFF")

    def insert(self, table: str, row: Row) -> str | None:
        """None if the row is there now; else what the database said."""
        names = ", ".join(map(quote_name, row))
        holes = ", ".join([HOLE] * len(row))
        values = f"({names}) VALUES ({holes})" if row else "DEFAULT VALUES"
        return self.attempt(f"INSERT INTO {quote_name(table)} {values}", tuple(row.values()))

    def attempt(self, sql: str, values: tuple[Any, ...] = ()) -> str | None:
        """None if the statement ran; else what the database said, and what it did is undone."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SAVEPOINT maxwell_row")
            try:
                cursor.execute(self._with_holes(sql), values) if values else cursor.execute(sql)
                if self._dialect == "postgres" and cursor.description:
                    cursor.fetchall()
            except self._connection.Error as error:
                cursor.execute("ROLLBACK TO SAVEPOINT maxwell_row")
                return " ".join(str(error).split())
            finally:
                cursor.execute("RELEASE SAVEPOINT maxwell_row")
            return None

    def holds(self, expression: str, values: Mapping[str, Value], types: Mapping[str, str]) -> bool:
        """Does a CHECK let these values pass? True too where it cannot be asked about them alone."""
        casts = {name: f"CAST({HOLE} AS {types[name]})" if types.get(name) else HOLE for name in values}
        columns = ", ".join(f"{cast} AS {quote_name(name)}" for name, cast in casts.items())
        sql = self._with_holes(f"SELECT ({expression}) FROM (SELECT {columns}) AS t")
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("SAVEPOINT maxwell_check")
            try:
                cursor.execute(sql, tuple(values.values()))
                (answer,) = cursor.fetchone()
            except self._connection.Error:
                cursor.execute("ROLLBACK TO SAVEPOINT maxwell_check")
                return False
            finally:
                cursor.execute("RELEASE SAVEPOINT maxwell_check")
        return answer is None or bool(answer)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def keys(self, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """Values of a parent's columns that a child may refer to."""
        listed = ", ".join(map(quote_name, columns))
        there = " AND ".join(f"{quote_name(column)} IS NOT NULL" for column in columns)
        return self.query(f"SELECT {listed} FROM {quote_name(table)} WHERE {there} ORDER BY {listed} LIMIT {_PARENTS}")

    def count(self, table: str) -> int:
        ((count,),) = self.query(f"SELECT count(*) FROM {quote_name(table)}")
        return int(count)

    def _with_holes(self, sql: str) -> str:
        """A statement in the driver's own form; a name may have a '%' or a '?' in it."""
        return sql.replace(HOLE, "?") if self._dialect == "sqlite" else sql.replace("%", "%%").replace(HOLE, "%s")
