"""The source: one snapshot of a SQLite database, read in chunks of about a megabyte that SQLite itself makes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from runner.dialects import connect
from runner.domain.quoting import quote_name
from runner.domain.url import DatabaseUrl
from runner.errors import UsageError
from runner.transfer.expressions import digits_mean_the_doubles, suspect, suspect_in_chunk
from runner.transfer.model import Map, Text, Value
from runner.transfer.settling import settle
from runner.transfer.target import TargetColumn, TargetTable
from verify.catalog import BOOKKEEPING_TABLES, Catalog, Table, is_ignored
from verify.catalog_sqlite import read_catalog
from verify.reader import reading

CHUNK_BYTES = 1_000_000  # what a chunk aims at
CHUNK_LIMIT = 16_000_000  # what SQLite may put together at once, unless one row alone is larger
_FIRST_ROWS, _MOST_ROWS = 64, 5000
_SQLITE_LIMIT_LENGTH = 0
_LONGEST = 1_000_000_000
_SMALLEST_ROW = 4  # bytes
_ATTEMPTS = 5  # to find a moment in which nobody commits

VIRTUAL = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL%'"


@dataclass
class Plan:
    """One table of both sides: which columns go where, and by which SQL the source gives their values.

    ``excluded`` and ``nulled`` name rows by ``place``; they grow while the map is carried out, and only then.
    """

    target: TargetTable
    source: Table
    columns: tuple[tuple[TargetColumn, str], ...]  # with the column's name in the source
    values: dict[str, str]  # by the target column's name
    raw: dict[str, str]
    excluded: set[Value] = field(default_factory=set)
    nulled: dict[str, set[Value]] = field(default_factory=dict)
    calls_python: bool = False

    @property
    def name(self) -> str:
        return self.target.name

    def place(self, alias: str = "t") -> str:
        """Which row: its rowid; of a table without one its key, as text."""
        return f"{alias}.{self.source.address}" if self.source.address else self.source.row_key(alias)

    @property
    def pairs(self) -> list[tuple[TargetColumn, str]]:
        """Each column with the SQL of its value."""
        return [(column, self.values[column.name]) for column, _ in self.columns]

    def row(self, values: Sequence[Value]) -> dict[str, Value]:
        """A row of the source, by the source's names of its columns."""
        return {name: value for (_, name), value in zip(self.columns, values, strict=True)}

    @property
    def suspicious_in_chunk(self) -> str:
        return " OR ".join(suspect_in_chunk(column, self.raw[column.name]) for column, _ in self.columns) or "0"

    @property
    def suspicious(self) -> str:
        return " OR ".join(suspect(column, self.raw[column.name]) for column, _ in self.columns) or "0"


class Source:
    """An open snapshot. ``connection`` is in a transaction, and stays in it; rows come as they were at its begin."""

    def __init__(self, connection: Any, *, is_followed: bool = False) -> None:
        self.connection = connection
        self.is_followed = is_followed  # by another connection, in the same snapshot
        # Whoever steps through an answer has SQLite's lock and wants Python's, for a function of ours; nobody else may
        # have Python's then and want SQLite's. The limits are the connection's, too.
        self.one_at_a_time = threading.RLock()
        self._number = 0
        self._exact: bool | None = None  # does this SQLite write doubles with digits that mean them?

    @contextmanager
    def plain_text(self) -> Iterator[None]:
        """Within it, text is read as text, as other readers of the same connection expect it."""
        self.connection.text_factory = str
        try:
            yield
        finally:
            self.connection.text_factory = Text

    def rows(self, sql: str, parameters: Sequence[Value | str] = ()) -> list[tuple[Any, ...]]:
        with self.one_at_a_time, closing(self.connection.execute(sql, parameters)) as cursor:
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def catalog(self) -> Catalog:
        with reading(self.connection, "sqlite", snapshot=False) as reader:
            return read_catalog(reader, BOOKKEEPING_TABLES)

    def virtual_tables(self) -> list[str]:
        names = [bytes(name).decode("utf-8", "replace") for (name,) in self.rows(VIRTUAL)]
        return [name for name in names if not is_ignored(name, BOOKKEEPING_TABLES)]

    def count(self, table: Table) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table.sql}")[0][0])

    def rows_at_most(self, table: Table) -> int:
        """How many rows there are, or somewhat more, without a look at them: by the first and the last rowid."""
        if table.address:
            first, last = (f"(SELECT {edge}({table.address}) FROM {table.sql})" for edge in ("min", "max"))
            ((span,),) = self.rows(f"SELECT {last} - {first} + 1")
            if (span or 0) <= size(self.connection) // _SMALLEST_ROW:
                return int(span or 0)
        return self.count(table)

    def plan(self, target: TargetTable, source: Table, names: dict[str, str], mapping: Map) -> Plan:
        """How the rows of one table go over. ``names``: of the target's columns, those that the source has."""
        columns = tuple(
            (self._with_digits(column, source, names[column.name]), names[column.name])
            for column in target.columns
            if column.name in names
        )
        raw = {column.name: f"t.{quote_name(name)}" for column, name in columns}
        plan = Plan(target, source, columns, dict(raw), raw)
        if mapping.touches(target.name):
            for column, _ in columns:
                self._settle(plan, column, mapping)
        return plan

    def _with_digits(self, column: TargetColumn, table: Table, name: str) -> TargetColumn:
        """A column of doubles, with what has to be known of how this SQLite writes them."""
        if column.type not in ("float8", "float4"):
            return column
        if self._exact is None:
            self._exact = digits_mean_the_doubles(self.connection)
        return replace(column, minus_zero=name in self._minus_zeros(table), by_python=not self._exact)

    def _minus_zeros(self, table: Table) -> set[str]:
        """The columns that may hold a minus zero: SQLite keeps none in a column of its own real type."""
        found = set()
        with self.plain_text():
            for _, name, declared, *_ in self.rows(f"PRAGMA main.table_xinfo({quote_name(table.name)})"):
                kind = str(declared).upper()
                other = any(word in kind for word in ("INT", "CHAR", "CLOB", "TEXT", "BLOB"))
                if other or not any(word in kind for word in ("REAL", "FLOA", "DOUB")):
                    found.add(name)
        return found

    def _settle(self, plan: Plan, column: TargetColumn, mapping: Map) -> None:
        """Let Python give the values of a column that SQL finds suspicious."""
        name = self._function()
        table, nulled = plan.name, plan.nulled.setdefault(column.name, set())

        def value_of(kind: str, value: Value, place: Value) -> Value:
            if _place(place) in nulled:
                return None
            if kind == "text":
                value = Text(value)  # type: ignore[arg-type]  # it was cast to a BLOB on the way here
            settled, _, fits = settle(column, table, value, mapping)
            if isinstance(settled, Text):
                # A text that is left unsettled belongs to a row that does not go.
                return settled.decode("utf-8", "replace") if fits else None  # type: ignore[return-value]
            return settled

        self.connection.create_function(name, 3, value_of, deterministic=False)
        raw = plan.raw[column.name]
        cast = f"CASE typeof({raw}) WHEN 'text' THEN CAST({raw} AS BLOB) ELSE {raw} END"
        plan.values[column.name] = (
            f"CASE WHEN {suspect(column, raw)} OR {self._is_nulled(plan, nulled)}"
            f" THEN {name}(typeof({raw}), {cast}, {plan.place()}) ELSE {raw} END"
        )
        if column.type in ("text", "varchar", "bpchar"):
            # Whether it is UTF-8, and has no NUL, SQL cannot tell: all that is not plain ASCII is looked at.
            plain = f"length(CAST({raw} AS BLOB)) = length({raw}) AND NOT {raw} GLOB '*[^' || char(1) || '-~]*'"
            plan.values[column.name] = (
                f"CASE WHEN {raw} IS NOT NULL AND NOT ({suspect(column, raw)}) AND ({plain})"
                f" AND NOT {self._is_nulled(plan, nulled)} THEN {raw}"
                f" ELSE {name}(typeof({raw}), {cast}, {plan.place()}) END"
            )
        plan.calls_python = True

    def _is_nulled(self, plan: Plan, nulled: set[Value]) -> str:
        name = self._function()
        self.connection.create_function(name, 1, lambda place: _place(place) in nulled)
        return f"{name}({plan.place()})"

    def keep_out(self, plan: Plan, alias: str = "t") -> str:
        """A condition that holds for the rows that go, of a table called ``alias``."""
        if not plan.excluded:
            return "1"
        name = self._function()
        self.connection.create_function(name, 1, lambda place: _place(place) not in plan.excluded)
        plan.calls_python = True
        return f"{name}({plan.place(alias)})"

    def _function(self) -> str:
        self._number += 1
        return f"maxwell_{self._number}"

    def chunks(
        self, plan: Plan, inner: Sequence[str], outer: Sequence[str], *, all_rows: bool = False, after: Value = None
    ) -> Iterator[tuple[Value, Value, tuple[Any, ...]]]:
        """The whole table, some thousand rows at a time: the place before the first, that of the last, and the answers.

        ``inner`` are expressions over a row ``t``, called v0, v1 ...; ``outer`` are aggregates over those. ``after``:
        only the rows beyond that place. Only for tables with a rowid.
        """
        condition = "1" if all_rows else self.keep_out(plan)
        address = plan.source.address
        names = "".join(f", {expression} AS v{number}" for number, expression in enumerate(inner))

        def sql(beyond: str) -> str:
            return (
                f"SELECT max(k), {', '.join(outer)} FROM (SELECT t.{address} AS k{names} FROM {plan.source.sql} AS t"
                f" WHERE {beyond} AND {condition} ORDER BY t.{address} LIMIT ?2)"
            )

        count = _FIRST_ROWS
        while True:
            beyond = "?1 IS NULL" if after is None else f"t.{address} > ?1"
            row, count = self._one_chunk(sql(beyond), after, count)
            last, *answers = row
            if last is None:
                return
            yield after, last, tuple(answers)
            size = sum(len(answer) for answer in answers if isinstance(answer, bytes)) or 1
            count = max(1, min(_MOST_ROWS, count * 4, count * CHUNK_BYTES // size))
            after = last

    def _one_chunk(self, sql: str, after: Value, count: int) -> tuple[tuple[Any, ...], int]:
        """One chunk, smaller if SQLite finds it too large to put together."""
        limit = CHUNK_LIMIT
        with self.one_at_a_time:
            while True:
                self.connection.setlimit(_SQLITE_LIMIT_LENGTH, limit)
                try:
                    return self.rows(sql, (after, count))[0], count
                except self.connection.DataError:
                    if limit >= _LONGEST:
                        raise
                    limit, count = (limit, max(1, count // 8)) if count > 1 else (min(limit * 8, _LONGEST), 1)
                finally:
                    self.connection.setlimit(_SQLITE_LIMIT_LENGTH, _LONGEST)

    def doubles(self, plan: Plan, values: Sequence[str], after: Value, last: Value) -> list[Any]:
        """The doubles of a chunk of ``chunks``, a row's after the other's, without the NULLs."""
        address = plan.source.address
        beyond = "?1 IS NULL" if after is None else f"t.{address} > ?1"
        found = self.rows(
            f"SELECT {', '.join(values)} FROM {plan.source.sql} AS t"
            f" WHERE {beyond} AND t.{address} <= ?2 ORDER BY t.{address}",
            (after, last),
        )
        return [value for row in found for value in row if value is not None]

    def stream(self, plan: Plan, expressions: Sequence[str], *, all_rows: bool = False) -> Iterator[list[Any]]:
        """The rows of a table without a rowid, some hundred at a time."""
        condition = "1" if all_rows else self.keep_out(plan)
        with closing(self.connection.cursor()) as cursor:
            with self.one_at_a_time:
                cursor.execute(f"SELECT {', '.join(expressions)} FROM {plan.source.sql} AS t WHERE {condition}")
            while True:
                with self.one_at_a_time:
                    rows = cursor.fetchmany(200)
                if not rows:
                    return
                yield rows


@contextmanager
def snapshot(
    connection: Any,
    *,
    to_freeze: bool = False,
    url: DatabaseUrl | None = None,
    follow: Callable[[], bool] | None = None,
) -> Iterator[Source]:
    """Read the database as it is now, whatever others write; ``to_freeze``: nobody writes from now on.

    The transaction is rolled back on the way out unless the caller has ended it. ``follow`` begins a snapshot of the
    database at ``url`` on another connection; ``Source.is_followed`` says whether it is the very same.
    """
    ((encoding,),) = connection.execute("PRAGMA encoding").fetchall()
    if encoding not in ("UTF-8", b"UTF-8"):
        raise UsageError(
            f"the source keeps its text as {encoding}, and transfer reads UTF-8 alone",
            code="SOURCE_ENCODING",
            hint="Make a copy in UTF-8: sqlite3 OLD .dump | sqlite3 NEW.",
        )
    before = connection.text_factory
    prepare(connection)
    begin = "BEGIN IMMEDIATE" if to_freeze else "BEGIN"
    try:
        followed = False
        if url is None or follow is None:
            begin_snapshot(connection, begin)
        else:
            followed = _begin_with(connection, begin, url, follow)
        yield Source(connection, is_followed=followed)
    finally:
        connection.text_factory = before
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def size(connection: Any) -> int:
    """The bytes of the database."""
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    ((bytes_of_page,),) = connection.execute("PRAGMA page_size").fetchall()
    return int(pages) * int(bytes_of_page)


def prepare(connection: Any) -> None:
    """Let the connection read text as its bytes, and know the functions that the expressions call."""
    connection.text_factory = Text
    connection.create_function("maxwell_shortest", 1, _shortest, deterministic=True)


def begin_snapshot(connection: Any, begin: str = "BEGIN") -> None:
    connection.execute(begin)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # from here on it is one snapshot


def _begin_with(connection: Any, begin: str, url: DatabaseUrl, follow: Callable[[], bool]) -> bool:
    """Begin here and there with no commit between. ``connection`` has begun in any case."""
    with closing(connect(url, read_only=True)) as witness:
        for _ in range(_ATTEMPTS):
            # It tells whether any other connection has committed in between; of its own, ``connection`` cannot.
            version = witness.execute("PRAGMA data_version").fetchall()
            begin_snapshot(connection, begin)
            if not follow():
                return False
            if witness.execute("PRAGMA data_version").fetchall() == version:
                return True
            connection.execute("ROLLBACK")
        begin_snapshot(connection, begin)
        return False


def _shortest(value: float) -> str:
    return repr(value)


def _place(place: Value | str) -> Value:
    return place.encode() if isinstance(place, str) else place
