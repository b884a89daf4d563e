"""Both sides compared: rows, a checksum of each table and of each column; and where they differ, by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any
from zlib import crc32

from runner.transfer import stream
from runner.transfer.checksum import Sums
from runner.transfer.expressions import NULL, bits, canonical, double_of, target_text
from runner.transfer.model import Difference, Progress, TableSum, Text
from runner.transfer.source import Plan, Source
from runner.transfer.target import TargetColumn

_LINES = 2000  # of COPY's, taken apart together
_BUCKETS = 1 << 14
_REMEMBERED = 20_000  # rows of each side that are compared one by one
_ESCAPES = {
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}

Columns = Sequence[Sequence[bytes]]


def read_back(connection: Any, plans: Sequence[Plan], progress: Progress, total: int | None) -> dict[str, TableSum]:
    """The sums of what the target holds, read from the target."""
    progress.stage("reading the target back", total)
    sums = {}
    for plan in plans:
        table = Sums([column for column, _ in plan.columns])

        def take(columns: Columns, table: Sums = table) -> None:
            table.add(columns)
            progress.advance(len(columns[0]))

        read_target_rows(connection, plan, take)
        sums[plan.name] = table.result()
    return sums


def read_streams(connection: Any, plans: Sequence[Plan], progress: Progress) -> dict[str, str]:
    """The digests of the tables that are proven as a stream, read from the target."""
    progress.stage("reading the target back", None)
    return {plan.name: stream.read_target(connection, plan, progress) for plan in plans}


def read_doubles(source: Source, plans: Sequence[Plan], sums: Mapping[str, TableSum]) -> dict[str, TableSum]:
    """The source's sums, those of doubles taken from the numbers themselves: SQLite's digits are its own."""
    corrected = dict(sums)
    for plan in plans:
        doubles = [column for column, _ in plan.columns if column.type in ("float8", "float4")]
        if not doubles or not sums[plan.name].rows:
            continue
        totals = [0] * len(doubles)
        values = [plan.values[column.name] for column in doubles]
        with closing(source.connection.cursor()) as cursor:
            cursor.execute(f"SELECT {', '.join(values)} FROM {plan.source.sql} AS t WHERE {source.keep_out(plan)}")
            while some := cursor.fetchmany(1000):
                for place, column in enumerate(zip(*some, strict=True)):
                    texts = [NULL if value is None else bits(float(value)) for value in column]
                    totals[place] += sum(map(crc32, texts))
        columns = dict(sums[plan.name].columns)
        columns |= {column.name: f"{total % (1 << 64):016x}" for column, total in zip(doubles, totals, strict=True)}
        corrected[plan.name] = TableSum(sums[plan.name].rows, sums[plan.name].checksum, columns)
    return corrected


def compare(source: Mapping[str, TableSum], target: Mapping[str, TableSum]) -> list[Difference]:
    """What differs, by table and column; nothing if all is equal."""
    found = []
    for name, one in source.items():
        other = target[name]
        if one.rows != other.rows:
            found.append(Difference(name, None, None, f"{one.rows} rows", f"{other.rows} rows"))
        for column, checksum in one.columns.items():
            if checksum != other.columns[column]:
                found.append(
                    Difference(name, column, None, f"checksum {checksum}", f"checksum {other.columns[column]}")
                )
        if one.checksum != other.checksum and one.rows == other.rows and one.columns == other.columns:
            found.append(Difference(name, None, None, "values in other rows", "values in other rows"))
    return found


def locate(source: Source, connection: Any, plan: Plan, sample: int) -> list[Difference]:
    """The first few rows and values of a table that differ, by key. Reads both sides again, twice."""
    columns_of = [column for column, _ in plan.columns]
    names = [column.name for column in columns_of]
    key = [names.index(name) for name in plan.target.key if name in names] or list(range(len(names)))

    def keyed(columns: Columns) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
        for row in zip(*Sums([column for column, _ in plan.columns]).normalised(columns), strict=True):
            yield b"\0".join(row[place] for place in key), row

    def both(take: Callable[[Columns, int], None]) -> None:
        for columns in read_source_rows(source, plan):
            take(columns, 0)
        read_target_rows(connection, plan, lambda columns: take(columns, 1))

    buckets = [[0] * _BUCKETS, [0] * _BUCKETS]

    def fill(columns: Columns, side: int) -> None:
        for name, row in keyed(columns):
            buckets[side][crc32(name) % _BUCKETS] += crc32(b"\0".join(row)) + 1

    both(fill)
    wrong = {place for place in range(_BUCKETS) if buckets[0][place] != buckets[1][place]}
    kept: tuple[dict[bytes, tuple[bytes, ...]], ...] = ({}, {})

    def keep(columns: Columns, side: int) -> None:
        for name, row in keyed(columns):
            if crc32(name) % _BUCKETS in wrong and (name in kept[1 - side] or len(kept[side]) < _REMEMBERED):
                kept[side][name] = row

    both(keep)
    found: list[Difference] = []
    for name in sorted(kept[0].keys() | kept[1].keys()):
        here, there = kept[0].get(name), kept[1].get(name)
        shown = ", ".join(_shown(columns_of[place], one) for place, one in zip(key, name.split(b"\0"), strict=True))[
            :80
        ]
        if here is None or there is None:
            found.append(Difference(plan.name, None, shown, _is_there(here), _is_there(there)))
        else:
            found += [
                Difference(plan.name, column.name, shown, _shown(column, one), _shown(column, other))
                for column, one, other in zip(columns_of, here, there, strict=True)
                if one != other
            ]
        if len(found) >= sample:
            break
    return found[:sample]


def read_source_rows(source: Source, plan: Plan) -> Iterator[Columns]:
    """The canonical texts of the source, column by column, some rows at a time."""
    texts = [canonical(column, value) for column, value in plan.pairs]
    if plan.source.address:
        outer = [f"group_concat(v{number}, char(0))" for number in range(len(texts))]
        for _, _, blobs in source.chunks(plan, texts, outer):
            yield [blob.split(b"\0") for blob in blobs]
        return
    for rows in source.stream(plan, [f"CAST({text} AS TEXT)" for text in texts]):
        yield [[bytes(value) for value in column] for column in zip(*rows, strict=True)]


def read_target_rows(connection: Any, plan: Plan, take: Callable[[Columns], None]) -> None:
    """The canonical texts of the target, in the same form."""
    columns = ", ".join(target_text(column) for column, _ in plan.columns)
    lines = _Lines(take)
    with closing(connection.cursor()) as cursor:
        cursor.copy_expert(f"COPY (SELECT {columns} FROM {plan.target.sql}) TO STDOUT", lines)
    lines.end()


class _Lines:
    """The file that COPY writes to, a line at a time."""

    def __init__(self, take: Callable[[Columns], None]) -> None:
        self._take = take
        self._lines: list[bytes] = []
        self._bytes = 0

    def write(self, data: bytes) -> int:
        self._lines.append(data)
        self._bytes += len(data)
        if len(self._lines) >= _LINES or self._bytes > 4_000_000:
            self.end()
        return len(data)

    def end(self) -> None:
        if not self._lines:
            return
        # Behind a tab or a line's end, \N is NULL and nothing else.
        text = b"\n" + b"".join(self._lines).removesuffix(b"\n")
        text = text.replace(b"\t\\N", b"\t" + NULL).replace(b"\n\\N", b"\n" + NULL)
        self._lines, self._bytes = [], 0
        rows = [one.split(b"\t") for one in text[1:].split(b"\n")]
        columns: list[Sequence[bytes]] = list(zip(*rows, strict=True))
        if b"\\" in text:
            columns = [[value if b"\\" not in value else _unescaped(value) for value in column] for column in columns]
        self._take(columns)


def _unescaped(field: bytes) -> bytes:
    """A field of COPY's text format as its value."""
    parts = iter(field.split(b"\\"))
    answer = [next(parts)]
    for part in parts:
        # An empty part is the second backslash of a pair; the text after it stands as it is.
        answer.append(_ESCAPES.get(part[:1], part[:1]) + part[1:] if part else b"\\" + next(parts, b""))
    return b"".join(answer)


def _shown(column: TargetColumn, value: bytes) -> str:
    from runner.transfer.judging import shown

    if value == NULL:
        return "NULL"
    return repr(double_of(value)) if column.type in ("float8", "float4") else shown(Text(value))


def _is_there(row: tuple[bytes, ...] | None) -> str:
    return "no row" if row is None else "a row"
