"""Reading SQLite: PRAGMA query_only while it lasts, so that no check can write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from verify.errors import VerifyError
from verify.quoting import Dialect
from verify.reader import Take

_BATCH = 1000


class SqliteReader:
    """Reads through cursors of its own; text that is not UTF-8 is shown with replacement characters."""

    dialect: Dialect = "sqlite"
    errors: type[Exception] = sqlite3.Error

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _cursor(self) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = None  # the caller may have set one
        return cursor

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(self._cursor()) as cursor:
            return cursor.execute(sql).fetchall()

    def wrong_columns(self, sql: str, names: Sequence[str]) -> str | None:
        # EXPLAIN compiles only; LIMIT 0 would not do, SQLite fills the sub-queries before it looks at the limit.
        try:
            self.query(f"EXPLAIN SELECT {', '.join(names)} FROM (\n{sql}\n)")
            self.query(f"EXPLAIN VALUES ({', '.join('0' for _ in names)}) UNION ALL SELECT * FROM (\n{sql}\n)")
        except sqlite3.OperationalError as error:
            for name in names:
                if str(error) == f"no such column: {name}":
                    return f"it has no column {name}"
            if "do not have the same number of result columns" in str(error):
                return "it has more columns"
            raise
        return None

    def stream(self, sql: str, take: Take) -> None:
        # The casts give plain text whatever the columns are, and keep the connection's converters out.
        text = ", ".join(f"coalesce(CAST({name} AS TEXT), '')" for name in ("table_name", "row_key", "detail"))
        with closing(self._cursor()) as cursor:
            cursor.execute(f"SELECT {text} FROM (\n{sql}\n)")
            while rows := cursor.fetchmany(_BATCH):
                for table, key, detail in rows:
                    take(table, key, detail)


def _lenient(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


@contextmanager
def reading_sqlite(connection: sqlite3.Connection, *, snapshot: bool) -> Iterator[SqliteReader]:
    """See ``verify.reader.reading``. The connection must have been opened with ``isolation_level=None``."""
    if snapshot and connection.in_transaction:
        raise VerifyError(
            "a transaction is open on this connection",
            code="IN_TRANSACTION",
            hint="End it first, or verify inside it with snapshot=False.",
            exit_code=1,
        )
    reader = SqliteReader(connection)
    ((was_query_only,),) = reader.query("PRAGMA query_only")
    text_factory = connection.text_factory
    connection.text_factory = _lenient
    try:
        reader.query("PRAGMA query_only = 1")
        if snapshot:
            reader.query("BEGIN")
        yield reader
    finally:
        connection.text_factory = text_factory
        if snapshot and connection.in_transaction:
            with suppress(sqlite3.Error):
                reader.query("ROLLBACK")  # nothing was written
        reader.query(f"PRAGMA query_only = {int(was_query_only)}")
