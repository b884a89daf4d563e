"""A table as one stream of bytes, in the order in which its rows were sent: the same from both sides, or not proven.

What PostgreSQL writes when it is asked for a table is compared, by SHA-256, with what it would write of the source's
values. That is little work for either side, and tells of every byte; it does not tell what differs.
"""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import chain
from typing import Any

from runner.domain.quoting import quote_name
from runner.transfer.expressions import DOUBLE, NULL, SAME_TEXT, SEPARATOR, disguised, row_text, target_bits
from runner.transfer.model import Progress, Value
from runner.transfer.source import Plan, Source

_ESCAPES = (
    (b"\\", b"\\\\"),
    (b"\b", b"\\b"),
    (b"\f", b"\\f"),
    (b"\n", b"\\n"),
    (b"\r", b"\\r"),
    (b"\t", b"\\t"),
    (b"\v", b"\\v"),
)
_HEXADECIMAL = 16  # digits of a double
_PIECE = 1 << 20
_PIECES = 4  # that wait for the thread


def is_streamed(plan: Plan) -> bool:
    """Can the table be proven so? Its rows keep their order, its values are not a map's, and have one text each."""
    return bool(
        plan.columns
        and plan.source.address
        and not plan.target.partitioned
        and plan.values == plan.raw
        and all(column.type in SAME_TEXT for column, _ in plan.columns)
    )


class Damaged(Exception):
    """The texts of a chunk cannot be told apart, or are none: there is a value that fits nowhere."""


def source_rows(source: Source, plan: Plan) -> Iterator[tuple[Value, Value, int, int, bytes]]:
    """Chunk by chunk the place before the first row, that of the last, how many rows there are, how many of them may be
    disguised, and the canonical texts of all, with a NUL between the rows; doubles still open.
    """
    tests = [f"({test})" for column, value in plan.pairs if (test := disguised(column, value)) is not None]
    # In a CASE SQLite looks at the second side of an OR or AND only where it matters.
    odd_one = f"CASE WHEN {' OR '.join(tests)} THEN 1 ELSE 0 END" if tests else "0"
    inner = [row_text(plan.pairs), odd_one]
    for after, last, (texts, odd, rows) in source.chunks(
        plan, inner, ["CAST(group_concat(v0, char(0)) AS BLOB)", "sum(v1)", "count(*)"]
    ):
        yield after, last, rows, odd or 0, texts


def with_doubles(source: Source, plan: Plan, after: Value, last: Value, texts: bytes) -> bytes:
    """The texts of a chunk with its doubles in them."""
    values = [value for column, value in plan.pairs if column.type == "float8"]
    if not values:
        return texts
    doubles = source.doubles(plan, values, after, last)
    pieces = texts.split(DOUBLE)
    try:
        digits = struct.pack(f">{len(pieces) - 1}d", *doubles).hex().encode()
    except struct.error as error:  # not a number, or not as many as there are places
        raise Damaged from error
    bits = (digits[start : start + _HEXADECIMAL] for start in range(0, len(digits), _HEXADECIMAL))
    return b"".join(chain.from_iterable(zip(pieces, chain(bits, (b"",)), strict=True)))


def split(plan: Plan, texts: bytes, rows: int) -> tuple[list[bytes], list[bytes]]:
    """The rows of a chunk, and their values one row's after the other's. Damaged where a value has a byte too many."""
    whole, values = texts.split(b"\0"), texts.replace(b"\0", SEPARATOR).split(SEPARATOR)
    if len(whole) != rows or len(values) != rows * len(plan.columns):
        raise Damaged
    return whole, values


def as_copied(texts: bytes) -> bytes:
    """The rows of a chunk as PostgreSQL's COPY writes them."""
    for plain, escaped in _ESCAPES:
        texts = texts.replace(plain, escaped)
    return texts.replace(SEPARATOR, b"\t").replace(NULL, b"\\N").replace(b"\0", b"\n") + b"\n"


def read_target(connection: Any, plan: Plan, progress: Progress) -> str:
    """The digest of the rows as the target has them, in the order of its file, which is that in which they came."""
    columns = ", ".join(target_bits(column) for column, _ in plan.columns)
    names = ", ".join(quote_name(column.name) for column, _ in plan.columns)
    # A table's own columns cost the server less than a query's.
    what = f"{plan.target.sql} ({names})" if columns == names else f"(SELECT {columns} FROM {plan.target.sql})"
    with closing(_Digest(progress)) as reader, closing(connection.cursor()) as cursor:
        cursor.copy_expert(f"COPY {what} TO STDOUT", reader)
        return reader.result()


class _Digest:
    """The file that COPY writes to, a row at a time. A thread hashes what came, while more comes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._digest = sha256()
        self._rows: list[bytes] = []
        self._bytes = 0
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_PIECES)
        self._thread = threading.Thread(target=self._hash, name="maxwell-db digest", daemon=True)
        self._thread.start()

    def write(self, row: bytes) -> int:
        self._rows.append(row)
        self._bytes += len(row)
        if self._bytes >= _PIECE:
            self._take()
        return len(row)

    def _take(self) -> None:
        self._pieces.put(b"".join(self._rows))
        self._progress.advance(len(self._rows))
        self._rows, self._bytes = [], 0

    def _hash(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._digest.update(piece)

    def result(self) -> str:
        self._take()
        self.close()
        return self._digest.hexdigest()

    def close(self) -> None:
        """End the thread, when it has hashed what there is."""
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()
