"""Reading SQLite: PRAGMA query_only while it lasts, so that no check can write."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from verify.errors import VerifyError
from verify.quoting import Dialect
from verify.reader import Reader, Take
from verify.snapshot_sqlite import one_snapshot

_BATCH = 1000
_AGAIN_SECONDS = 0.02  # a cancel that arrives between two statements meets nothing, and is sent again
_ENDLESS = "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"


class SqliteReader:
    """Reads through cursors of its own; text that is not UTF-8 is shown with replacement characters."""

    dialect: Dialect = "sqlite"
    errors: type[Exception] = sqlite3.Error

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.others: Sequence[Reader] = ()
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

    @contextmanager
    def until(self, seconds: float | None) -> Iterator[None]:
        if seconds is None:
            yield
            return
        done = threading.Event()

        def watch() -> None:
            wait = seconds
            while not done.wait(min(wait, threading.TIMEOUT_MAX)):
                self.cancel()
                wait = _AGAIN_SECONDS

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def cancel(self) -> None:
        self._connection.interrupt()

    def was_cancelled(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT"

    @contextmanager
    def waiting(self) -> Iterator[Callable[[], object]]:
        # SQLite forgets an interrupt when no statement is open; this one is never through.
        with closing(self._cursor()) as cursor:
            yield cursor.execute(_ENDLESS).fetchone

    def read_leniently(self) -> Callable[[], None]:
        """Show bytes that are no text as replacement characters; the answer puts back what was there."""
        before = self._connection.text_factory

        def put_back() -> None:
            self._connection.text_factory = before

        self._connection.text_factory = _lenient
        return put_back


def _lenient(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


@contextmanager
def reading_sqlite(connection: sqlite3.Connection, *, snapshot: bool, others: int = 0) -> Iterator[SqliteReader]:
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
    put_back = reader.read_leniently()
    try:
        reader.query("PRAGMA query_only = 1")
        if snapshot:
            with one_snapshot(reader, others) as beside:
                reader.others = beside
                yield reader
        else:
            yield reader
    finally:
        put_back()
        if snapshot and connection.in_transaction:
            with suppress(sqlite3.Error):
                reader.query("ROLLBACK")  # nothing was written
        reader.query(f"PRAGMA query_only = {int(was_query_only)}")
