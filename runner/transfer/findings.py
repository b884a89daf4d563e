"""Collects what does not fit: exact counts, a few samples of each kind in each column, and what was lost on purpose."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from runner.errors import UsageError
from runner.transfer.judging import shown
from runner.transfer.kinds import KINDS, LOSSY
from runner.transfer.model import Finding, Map, Sample, Text, Value


class Findings:
    """Grows while the source is read. ``sample``: so many values of each group are kept, cut."""

    def __init__(self, sample: int, lost: Lost) -> None:
        self._sample = sample
        self._lost = lost
        self._groups: dict[tuple[str, str, str, str | None, str | None], list[Any]] = {}

    def add(
        self,
        kind: str,
        table: str,
        column: str,
        key: str,
        value: Value,
        *,
        action: str | None = None,
        detail: str | None = None,
        count: int = 1,
    ) -> None:
        group = self._groups.setdefault((kind, table, column, action, detail), [0, []])
        group[0] += count
        if len(group[1]) < self._sample:
            group[1].append(Sample(key[:80], shown(value)))
        if action in LOSSY and action not in ("skip", "default"):
            self._lost.write(table, column, key, kind, str(action), value)

    def set_aside(self, table: str, key: str, row: dict[str, Value]) -> None:
        """A whole row does not go: write it down."""
        self._lost.write_row(table, key, row)

    def all(self) -> tuple[Finding, ...]:
        """Unsettled ones first; by table, and in the order of the kinds."""
        order = list(KINDS)
        found = [
            Finding(kind, table, column, count, tuple(sample), action, detail)
            for (kind, table, column, action, detail), (count, sample) in self._groups.items()
        ]
        return tuple(
            sorted(found, key=lambda one: (one.action is not None, one.table, order.index(one.kind), one.column))
        )

    @property
    def unsettled(self) -> int:
        return sum(count for (_, _, _, action, _), (count, _) in self._groups.items() if action is None)


class Lost:
    """The file of what is lost on purpose: a line of JSON for each value. It appears when the transfer is committed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None
        self.lines = 0

    @property
    def _partial(self) -> Path:
        assert self._path is not None
        return self._path.with_name(f"{self._path.name}.partial")

    def write(self, table: str, column: str, key: str, kind: str, action: str, value: Value) -> None:
        self._line(
            {"table": table, "key": key, "column": column, "kind": kind, "action": action, "value": _plain(value)}
        )

    def write_row(self, table: str, key: str, row: dict[str, Value]) -> None:
        self._line({"table": table, "key": key, "row": {name: _plain(value) for name, value in row.items()}})

    def _line(self, entry: dict[str, Any]) -> None:
        if self._path is None:
            return
        if self._file is None:
            try:
                self._file = self._partial.open("x" if not self._partial.exists() else "w", encoding="utf-8")
            except OSError as error:
                raise UsageError(
                    f"what is lost cannot be written to {self._path}: {error.strerror}",
                    code="CANNOT_WRITE",
                    hint="Correct 'lost' in the file given as --map.",
                ) from error
            self._partial.chmod(0o600)
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.lines += 1

    def flush(self) -> None:
        """Before the commit: what cannot be written down is not lost."""
        if self._file is not None:
            self._file.flush()

    def keep(self) -> None:
        if self._file is not None and self._path is not None:
            self._file.close()
            self._partial.replace(self._path)
            self._file = None

    def forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._partial.unlink(missing_ok=True)
            self._file = None


@contextmanager
def written_down(mapping: Map, *, wanted: bool) -> Iterator[Lost]:
    """The file that the map names, kept by ``keep`` alone. UsageError where it is there already."""
    path = mapping.lost if wanted else None
    if path is not None and path.exists():
        raise UsageError(
            f"{path} is there already, and may hold what an earlier transfer lost",
            code="FILE_EXISTS",
            hint="Move it away, or name another file as 'lost' in the file given as --map.",
        )
    lost = Lost(path)
    try:
        yield lost
    finally:
        lost.forget()


def _plain(value: Value) -> Any:
    """A value for JSON: text as it is, bytes (and text that is not UTF-8) as {"hex": ...}."""
    if isinstance(value, Text):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"text_hex": value.hex()}
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return {"real": repr(value)}
    return value
