"""What a transfer is told, what it finds and what it did: frozen values that open nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.transfer.kinds import KINDS, LOSSY


class Text(bytes):
    """A TEXT value of SQLite as its bytes, which need not be UTF-8; plain ``bytes`` are a BLOB."""


Value = None | int | float | bytes


@dataclass(frozen=True)
class Sample:
    """One value that does not fit: the row's key or place, and the value, cut at 80 characters, bytes in hex."""

    key: str
    value: str


@dataclass(frozen=True)
class Finding:
    """All values of one column that do not fit for one reason. ``action``: how the mapping file settled them."""

    kind: str
    table: str
    column: str
    count: int
    sample: tuple[Sample, ...]
    action: str | None = None
    detail: str | None = None  # what the kind alone does not say: the parent of an orphan, the columns of a key

    @property
    def reason(self) -> str:
        reason = KINDS[self.kind].reason
        return f"{reason} ({self.detail})" if self.detail else reason

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "table": self.table,
            "column": self.column,
            "reason": self.reason,
            "count": self.count,
            "action": self.action,
            "sample": [{"key": one.key, "value": one.value} for one in self.sample],
        }


@dataclass(frozen=True)
class TableSum:
    """Rows of a table, an order-free checksum of them, and one of each column; hexadecimal."""

    rows: int
    checksum: str
    columns: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "checksum": self.checksum, "columns": dict(self.columns)}


@dataclass(frozen=True)
class Difference:
    """What one side has and the other has not: of a table, a column, or one value of a row."""

    table: str
    column: str | None
    key: str | None
    source: str
    target: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "column": self.column,
            "key": self.key,
            "source": self.source,
            "target": self.target,
        }

    def __str__(self) -> str:
        where = self.table + (f".{self.column}" if self.column else "") + (f" {self.key}" if self.key else "")
        return f"{where}: {self.source} in the source, {self.target} in the target"


@dataclass(frozen=True)
class Map:
    """What a mapping file says: actions by kind, by table and column, and where lost values are written."""

    everywhere: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)  # (table, column) or (table, "")
    lost: Path | None = None
    text: str | None = None

    def action(self, kind: str, table: str, column: str) -> str | None:
        """The action for a kind in a column: the column's own, else the table's, else that of everywhere."""
        for place in ((table, column), (table, "")):
            if kind in self.columns.get(place, {}):
                return self.columns[place][kind]
        return self.everywhere.get(kind)

    def touches(self, table: str) -> bool:
        """May it change a value of this table?"""
        return bool(self.everywhere) or any(name == table for name, _ in self.columns)

    @property
    def actions(self) -> frozenset[str]:
        every = [self.everywhere, *self.columns.values()]
        return frozenset(action for each in every for action in each.values())

    @property
    def loses(self) -> bool:
        """May anything of the source not arrive?"""
        return bool(LOSSY & self.actions)

    @property
    def loses_values(self) -> bool:
        """May single values be lost, which are to be written down?"""
        return bool((LOSSY - {"skip", "default"}) & self.actions)

    def __bool__(self) -> bool:
        return bool(self.everywhere or self.columns)


class Progress:
    """Told how far it is; this one keeps silent."""

    def stage(self, name: str, total: int | None) -> None:
        """A part begins, of so many rows, if that is known."""

    def advance(self, rows: int) -> None:
        """So many rows more are through."""

    def over(self) -> None:
        """The last part is over; what is told now comes after it."""
