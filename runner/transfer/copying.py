"""The rows: SQLite writes the lines of COPY, a thread ahead of PostgreSQL, which reads them in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from runner.domain.quoting import quote_name
from runner.transfer.ahead import ahead
from runner.transfer.expressions import line
from runner.transfer.model import Progress
from runner.transfer.source import Plan, Source

_READ_BYTES = 1 << 18


def copy(source: Source, connection: Any, plans: Sequence[Plan], counts: dict[str, int], progress: Progress) -> None:
    """Send every row of the snapshot to the tables of the target, which are empty and have nobody else's lock."""
    progress.stage("copying", sum(counts.values()))
    for plan in sorted(plans, key=lambda plan: -counts[plan.name]):
        if counts[plan.name] == 0 or not plan.columns:
            continue
        columns = ", ".join(quote_name(column.name) for column, _ in plan.columns)
        freeze = "" if plan.target.partitioned else ", FREEZE"  # the tables were truncated in this transaction
        options = f"FORMAT csv, QUOTE '''', NULL 'NULL'{freeze}"
        feed = _Feed(_lines(source, plan), progress)
        try:
            with closing(connection.cursor()) as cursor:
                statement = f"COPY {plan.target.sql} ({columns}) FROM STDIN WITH ({options})"
                cursor.copy_expert(statement, feed, size=_READ_BYTES)
        except connection.Error:
            if feed.failure is not None:
                raise feed.failure from None
            raise
        finally:
            feed.close()


def _lines(source: Source, plan: Plan) -> Iterator[tuple[int, bytes]]:
    """Some thousand lines at a time, with their number."""
    text = line(plan.pairs)
    if plan.source.address:
        chunks = source.chunks(plan, [text], ["group_concat(v0, char(10))", "count(*)"])
        for _, _, (lines, rows) in chunks:
            yield rows, bytes(lines) + b"\n"
        return
    for some in source.stream(plan, [text]):
        yield len(some), b"".join(bytes(one) + b"\n" for (one,) in some)


class _Feed:
    """The file that COPY reads from."""

    def __init__(self, chunks: Iterator[tuple[int, bytes]], progress: Progress) -> None:
        self._chunks = ahead(chunks)
        self._progress = progress
        self._rest = memoryview(b"")
        self.failure: BaseException | None = None  # the driver tells of it in its own words only

    def read(self, size: int = -1) -> bytes:
        try:
            if not self._rest:
                rows, data = next(self._chunks, (0, b""))
                self._progress.advance(rows)
                self._rest = memoryview(data)
        except BaseException as error:
            self.failure = error
            raise
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)

    def close(self) -> None:
        self._chunks.close()  # type: ignore[attr-defined]  # it is a generator
