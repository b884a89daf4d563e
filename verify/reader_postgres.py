"""Reading PostgreSQL: a repeatable, read-only snapshot, or a read-only savepoint of the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
import psycopg2.errors
from psycopg2.extensions import (
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_INTRANS,
    cursor,
    encodings,
)

from verify.errors import VerifyError
from verify.quoting import Dialect
from verify.reader import Reader, Take

_SAVEPOINT = "maxwell_verify"
# A check finds few rows, whatever the planner makes of its conditions: the price of handing rows from one process to
# another must not keep it from sharing the work among several.
_FEW_ROWS = "SET LOCAL parallel_tuple_cost = 0"
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "N": ""}


class PostgresReader:
    """Runs statements without parameters: psycopg2 then leaves percent signs alone."""

    dialect: Dialect = "postgres"
    errors: type[Exception] = psycopg2.Error

    def __init__(self, connection: Any) -> None:
        # The server shares one statement among its own workers; a second connection would be one too many for them.
        self.others: Sequence[Reader] = ()
        self._connection = connection
        self._encoding = encodings.get(connection.encoding, "utf-8")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor(cursor_factory=cursor) as own:
            own.execute(sql)
            return list(own.fetchall()) if own.description else []

    def wrong_columns(self, sql: str, names: Sequence[str]) -> str | None:
        with self._connection.cursor(cursor_factory=cursor) as own:
            own.execute(f"SELECT * FROM (\n{sql}\n) AS violations LIMIT 0")
            found = [column.name for column in own.description]
        return None if found == list(names) else f"its columns are {', '.join(found)}"

    def stream(self, sql: str, take: Take) -> None:
        # COPY hands over row after row. A plain cursor would hold the whole answer in memory; a named one (DECLARE)
        # never gets a parallel plan, which is worth half of the time on a large table.
        lines = _CopyLines(take, self._encoding)
        with self._connection.cursor(cursor_factory=cursor) as own:
            own.copy_expert(f"COPY (\n{sql}\n) TO STDOUT", lines)

    @contextmanager
    def until(self, seconds: float | None) -> Iterator[None]:
        if seconds is not None:
            milliseconds = min(max(1, int(seconds * 1000)), 2**31 - 1)  # 0 would mean for ever
            self.query(
                "SELECT set_config('statement_timeout', least(nullif(setting::int, 0), "
                f"{milliseconds})::text, true) FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'"
            )
        yield

    def cancel(self) -> None:
        self._connection.cancel()

    def was_cancelled(self, error: Exception) -> bool:
        return isinstance(error, psycopg2.errors.QueryCanceled)

    @contextmanager
    def waiting(self) -> Iterator[Callable[[], object]]:
        yield lambda: None


class _CopyLines:
    """The file that COPY writes to: takes lines of COPY's text format apart."""

    def __init__(self, take: Take, encoding: str) -> None:
        self._take = take
        self._encoding = encoding
        self._rest = b""

    def write(self, data: bytes) -> int:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            table, key, detail = map(_unescaped, line.decode(self._encoding, "replace").split("\t"))
            self._take(table, key, detail)
        return len(data)


def _unescaped(field: str) -> str:
    if "\\" not in field:
        return field
    parts = iter(field.split("\\"))
    answer = [next(parts)]
    for part in parts:
        # An empty part is the second backslash of a pair; the text after it stands as it is.
        answer.append(_ESCAPES.get(part[0], part[0]) + part[1:] if part else "\\" + next(parts, ""))
    return "".join(answer)


@contextmanager
def reading_postgres(connection: Any, *, snapshot: bool) -> Iterator[PostgresReader]:
    """See ``verify.reader.reading``. The connection must be in autocommit mode, transactions begun by statements."""
    status = connection.info.transaction_status
    if snapshot and status != TRANSACTION_STATUS_IDLE:
        raise VerifyError(
            "a transaction is open on this connection",
            code="IN_TRANSACTION",
            hint="End it first, or verify inside it with snapshot=False.",
            exit_code=1,
        )
    if not snapshot and status != TRANSACTION_STATUS_INTRANS:
        raise VerifyError(
            "no transaction is open on this connection, or it has failed",
            code="NO_TRANSACTION",
            hint="Begin one, or verify with snapshot=True.",
            exit_code=1,
        )
    reader = PostgresReader(connection)
    if snapshot:
        begin: tuple[str, ...] = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", _FEW_ROWS)
        end: tuple[str, ...] = ("ROLLBACK",)
    else:
        # Read-only and the setting end with the savepoint, and so does what an erring check did to the transaction.
        begin = (f"SAVEPOINT {_SAVEPOINT}", "SET TRANSACTION READ ONLY", _FEW_ROWS)
        end = (f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", f"RELEASE SAVEPOINT {_SAVEPOINT}")
    try:
        for statement in begin:
            reader.query(statement)
        yield reader
    finally:
        # A connection that is gone has ended the transaction itself; the first error is the one to tell.
        with suppress(psycopg2.Error):
            for statement in end:
                reader.query(statement)
