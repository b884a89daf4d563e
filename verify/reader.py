"""Reading from an open connection: in a read-only snapshot of its own, or inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from verify.errors import VerifyError
from verify.quoting import Dialect

Take = Callable[[str, str, str], None]  # is given table, key and detail of one violation


class Reader(Protocol):
    """What the checks need of a database; each dialect has one."""

    dialect: Dialect
    errors: type[Exception]  # the driver's database errors
    others: Sequence[Reader]  # more readers of the very same snapshot, each for a thread of its own

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a short query."""

    def wrong_columns(self, sql: str, names: Sequence[str]) -> str | None:
        """Why a SELECT does not have just these columns, in words, or None; it is not run."""

    def stream(self, sql: str, take: Take) -> None:
        """Hand each row of a check's SELECT to ``take``, few of them in memory at a time."""

    def until(self, seconds: float | None) -> AbstractContextManager[None]:
        """Within it, what runs for longer than so many seconds is cancelled; None: it may take its time."""

    def cancel(self) -> None:
        """From another thread: end what runs."""

    def was_cancelled(self, error: Exception) -> bool:
        """Whether a database error says that the statement was cancelled, by whomever."""

    def waiting(self) -> AbstractContextManager[Callable[[], object]]:
        """Within it, nothing runs; the function raises a database error if somebody has cancelled it all the same."""


def reading(connection: Any, dialect: str, *, snapshot: bool, others: int = 0) -> AbstractContextManager[Reader]:
    """A Reader that writes nothing and leaves the connection as it found it.

    With ``snapshot`` it opens a read-only transaction of its own and ends it; without, it reads inside the
    transaction that the caller has open. With a snapshot of a large SQLite file it has up to ``others`` more
    connections; elsewhere one does as well. Raises VerifyError if the connection is not in the state that is asked for.
    """
    if dialect == "sqlite":
        from verify.reader_sqlite import reading_sqlite

        return reading_sqlite(connection, snapshot=snapshot, others=others)
    if dialect == "postgres":
        from verify.reader_postgres import reading_postgres

        return reading_postgres(connection, snapshot=snapshot)
    raise VerifyError(f"there is no dialect {dialect!r}", code="UNKNOWN_DIALECT", hint="sqlite or postgres")


def one_line(error: BaseException) -> str:
    """A database's message without its line breaks (PostgreSQL adds lines that quote the statement)."""
    lines: Iterator[str] = (line.strip() for line in str(error).strip().splitlines())
    return next(lines, type(error).__name__)
