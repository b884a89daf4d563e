"""An order-free checksum of a table and of each of its columns, from the canonical texts of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from hashlib import blake2b, sha256
from operator import methodcaller
from zlib import crc32

from runner.transfer.expressions import NULL, SEPARATOR, normaliser
from runner.transfer.model import TableSum
from runner.transfer.target import TargetColumn

_hash = partial(blake2b, digest_size=8)
_digest = methodcaller("digest")
_WORD = 1 << 64


class Sums:
    """Sums of hashes: of each row whole, so that values that changed places are seen; and of each column's values.

    NULL and '' are different, and so are 1 and 1.5; the order of the rows is not part of it.
    """

    def __init__(self, columns: Sequence[TargetColumn]) -> None:
        self._names = tuple(column.name for column in columns)
        self._normalisers = tuple(map(normaliser, columns))
        self._rows = 0
        self._total = 0
        self._columns = [0] * len(self._names)

    def add(self, columns: Sequence[Sequence[bytes]]) -> None:
        """Some rows, column by column, each value as its canonical text."""
        finished = self.normalised(columns)
        for place, column in enumerate(finished):
            self._columns[place] += sum(map(crc32, column))
        self._add_up(map(SEPARATOR.join, zip(*finished, strict=True)))
        self._rows += len(finished[0]) if finished else 0

    def add_rows(self, rows: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Some rows whole, with ``SEPARATOR`` between the values; and those values, one row's after the other's."""
        width = len(self._names)
        hashes = list(map(crc32, values))
        for place in range(width):
            self._columns[place] += sum(hashes[place::width])
        self._add_up(rows)
        self._rows += len(rows)

    def _add_up(self, rows: Iterable[bytes]) -> None:
        self._total += sum(map(int.from_bytes, map(_digest, map(_hash, rows))))

    def normalised(self, columns: Sequence[Sequence[bytes]]) -> list[Sequence[bytes]]:
        return [
            column if finish is None else [value if value == NULL else finish(value) for value in column]
            for column, finish in zip(columns, self._normalisers, strict=True)
        ]

    def result(self) -> TableSum:
        columns = {name: f"{total % _WORD:016x}" for name, total in zip(self._names, self._columns, strict=True)}
        return TableSum(self._rows, f"{self._total % _WORD:016x}", columns)


def checksum_of(sums: dict[str, TableSum]) -> str:
    """One checksum over those of all tables."""
    text = "\n".join(f"{name} {one.rows} {one.checksum}" for name, one in sorted(sums.items()))
    return sha256(text.encode()).hexdigest()
