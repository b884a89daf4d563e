"""The rows: SQLite writes the lines of COPY, a thread ahead of PostgreSQL, which reads them in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from runner.domain.quoting import quote_name
from runner.transfer.ahead import ahead
from runner.transfer.expressions import SENT_NULL, line, plain_line
from runner.transfer.model import Progress, Value
from runner.transfer.source import Plan, Source

_READ_BYTES = 1 << 15  # a message of it is in the cache while the server reads it
_QUOTED = "FORMAT csv, QUOTE '''', NULL 'NULL'"

_JOINED = ["CAST(group_concat(v0, '') AS BLOB)", "count(*)"]  # as a BLOB it is copied once, as a text three times

Lines = Iterator[tuple[int, bytes]]  # some thousand lines at a time, with their number


def copy(source: Source, connection: Any, plans: Sequence[Plan], counts: dict[str, int], progress: Progress) -> None:
    """Send every row of the snapshot to the tables of the target, which are empty and have nobody else's lock.

    The rows of a table are sent in the order of ``Source.chunks`` or ``Source.stream``.
    """
    progress.stage("copying", sum(counts.values()))
    for plan in sorted(plans, key=lambda plan: -counts[plan.name]):
        if counts[plan.name] == 0 or not plan.columns:
            continue
        if not plan.source.address:
            _send(connection, plan, _streamed(source, plan), _QUOTED, progress)
            continue
        # PostgreSQL and SQLite both are faster without quotes; from the first chunk on that needs them they stay.
        plain = _Plain(source, plan)
        _send(connection, plan, plain.lines(), "FORMAT text", progress)
        if not plain.was_all:
            _send(connection, plan, _quoted(source, plan, plain.last), _QUOTED, progress)


def _send(connection: Any, plan: Plan, lines: Lines, form: str, progress: Progress) -> None:
    columns = ", ".join(quote_name(column.name) for column, _ in plan.columns)
    freeze = "" if plan.target.partitioned else ", FREEZE"  # the tables were truncated in this transaction
    feed = _Feed(lines, progress)
    try:
        with closing(connection.cursor()) as cursor:
            statement = f"COPY {plan.target.sql} ({columns}) FROM STDIN WITH ({form}{freeze})"
            cursor.copy_expert(statement, feed, size=_READ_BYTES)
    except connection.Error:
        if feed.failure is not None:
            raise feed.failure from None
        raise
    finally:
        feed.close()


class _Plain:
    """Lines of COPY's text form, up to the first chunk that has a character to be written otherwise."""

    def __init__(self, source: Source, plan: Plan) -> None:
        self._source = source
        self._plan = plan
        self.last: Value = None  # the place of the last row that was among them
        self.was_all = False

    def lines(self) -> Lines:
        tabs = len(self._plan.columns) - 1
        text = plain_line(self._plan.pairs)
        for _, last, (lines, rows) in self._source.chunks(self._plan, [text], _JOINED):
            # A tab or a line's end in a value is one too many; NULL's byte in a value the look at all of them finds.
            if b"\\" in lines or b"\r" in lines or _number(lines, b"\t") != rows * tabs:
                return
            if _number(lines, b"\n") != rows:
                return
            yield rows, lines.replace(SENT_NULL, b"\\N")
            self.last = last
        self.was_all = True


def _number(lines: bytes, character: bytes) -> int:
    """How often it is there; ``count`` takes four times as long."""
    return len(lines) - len(lines.replace(character, b""))


def _quoted(source: Source, plan: Plan, after: Value) -> Lines:
    for _, _, (lines, rows) in source.chunks(plan, [line(plan.pairs)], _JOINED, after=after):
        yield rows, lines


def _streamed(source: Source, plan: Plan) -> Lines:
    for some in source.stream(plan, [line(plan.pairs)]):
        yield len(some), b"".join(one for (one,) in some)


class _Feed:
    """The file that COPY reads from."""

    def __init__(self, lines: Lines, progress: Progress) -> None:
        self._lines = ahead(lines)
        self._progress = progress
        self._rest = memoryview(b"")
        self.failure: BaseException | None = None  # the driver tells of it in its own words only

    def read(self, size: int = -1) -> bytes:
        try:
            if not self._rest:
                rows, data = next(self._lines, (0, b""))
                self._progress.advance(rows)
                self._rest = memoryview(data)
        except BaseException as error:
            self.failure = error
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def close(self) -> None:
        self._lines.close()  # type: ignore[attr-defined]  # it is a generator
