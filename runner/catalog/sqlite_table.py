"""What the text of a CREATE TABLE tells and no pragma does: names, checks, collations, expressions, conflicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from runner.catalog.sqlite_pieces import Piece, bare, closing, joined, pieces, split

_AFTER_COLUMN = {"constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references"}
_AFTER_COLUMN |= {"generated", "as"}


@dataclass
class TableText:
    """What the text of a CREATE TABLE tells; columns by their names in lower case."""

    collations: dict[str, str] = field(default_factory=dict)
    generated: dict[str, str] = field(default_factory=dict)
    not_null_conflicts: dict[str, str] = field(default_factory=dict)
    checks: list[tuple[str | None, str]] = field(default_factory=list)  # name, expression
    uniques: dict[tuple[str, ...], tuple[str | None, str]] = field(default_factory=dict)  # name, options
    foreign_keys: list[tuple[tuple[str, ...], str, str | None, str]] = field(default_factory=list)
    primary_key: tuple[str | None, str] = (None, "")
    autoincrement: bool = False
    descending_key: bool = False  # INTEGER PRIMARY KEY DESC is no rowid
    options: str = ""


def read_table(text: str) -> TableText:
    """What a CREATE TABLE says of its columns and constraints."""
    table = TableText()
    items = pieces(text)
    start = next(number for number, piece in enumerate(items) if piece.text == "(")
    end = closing(items, start)
    table.options = ", ".join(
        joined(part).upper() for part in split([piece for piece in items[end + 1 :] if piece.text != ";"])
    )
    for part in split(items[start + 1 : end]):
        if part[0].word and part[0].text in ("constraint", "primary", "unique", "check", "foreign"):
            _Constraints(table, None, part).read()
        else:
            column = part[0].text
            rest = next((n for n, piece in enumerate(part) if n and piece.word and piece.text in _AFTER_COLUMN), None)
            if rest is not None:
                _Constraints(table, bare(column), part[rest:]).read()
    return table


class _Constraints:
    """The constraints of one column, or one table constraint, read from left to right."""

    def __init__(self, table: TableText, column: str | None, items: list[Piece]) -> None:
        self.table, self.column, self.items = table, column, items
        self.place = 0
        self.name: str | None = None

    def read(self) -> None:
        while self.place < len(self.items):
            piece = self.items[self.place]
            self.place += 1
            if not piece.word:
                continue
            if (reader := self._READERS.get(piece.text)) is not None:
                reader(self)

    def _constraint(self) -> None:
        self.name = bare(self._next().text)

    def _check(self) -> None:
        self.table.checks.append((self._taken_name(), joined(self._group())))

    def _collate(self) -> None:
        self.table.collations[str(self.column)] = self._next().text.upper()

    def _not(self) -> None:
        self._next()  # null
        conflict = self._conflict()
        if conflict and self.column is not None:
            self.table.not_null_conflicts[self.column] = conflict.removeprefix("ON CONFLICT ")
        self.name = None

    def _null(self) -> None:
        self._conflict()

    def _default(self) -> None:
        piece = self._next()
        if piece.text == "(":
            self.place -= 1
            self._group()
        elif piece.text in ("+", "-"):
            self._next()
        self.name = None

    def _unique(self) -> None:
        columns = self._columns()
        self.table.uniques[columns] = (self._taken_name(), self._conflict())

    def _primary(self) -> None:
        self._next()  # key
        self._columns()
        direction = self._word("asc", "desc")
        self.table.descending_key = direction == "desc"
        self.table.primary_key = (self._taken_name(), self._conflict())
        self.table.autoincrement = self._word("autoincrement") is not None

    def _foreign(self) -> None:
        self._next()  # key
        columns = self._columns()
        self._next()  # references
        self._references_of(columns)

    def _references(self) -> None:
        self._references_of((str(self.column),))

    def _references_of(self, columns: tuple[str, ...]) -> None:
        parent = bare(self._next().text)
        if self._peek() == "(":
            self._group()
        name, options = self._taken_name(), ""
        while (word := self._peek()) is not None:
            if word == "on":
                self.place += 2  # on delete, on update
                if self._word("set") or self._word("no"):
                    self._next()  # null, default, action
                else:
                    self._next()  # cascade, restrict
            elif word == "match":
                self.place += 2
            elif word == "deferrable" or (word == "not" and self._peek(1) == "deferrable"):
                never = self._word("not")
                self.place += 1
                deferred = False
                if self._word("initially"):
                    deferred = self._next().text == "deferred"
                options = "" if never or not deferred else "DEFERRABLE INITIALLY DEFERRED"
            else:
                break
        self.table.foreign_keys.append((columns, parent, name, options))

    def _generated(self) -> None:
        self.place += 1  # always

    def _as(self) -> None:
        expression = joined(self._group())
        kind = (self._word("stored", "virtual") or "virtual").upper()
        self.table.generated[str(self.column)] = f"{kind} ({expression})"

    _READERS: ClassVar[Mapping[str, Callable[[_Constraints], None]]] = {
        "as": _as,
        "check": _check,
        "collate": _collate,
        "constraint": _constraint,
        "default": _default,
        "foreign": _foreign,
        "generated": _generated,
        "not": _not,
        "null": _null,
        "primary": _primary,
        "references": _references,
        "unique": _unique,
    }

    def _columns(self) -> tuple[str, ...]:
        """The columns that a table constraint lists; a column's own is about itself."""
        if self.column is not None:
            return (self.column,)
        return tuple(bare(part[0].text) for part in split(self._group()))

    def _conflict(self) -> str:
        if self._peek() == "on" and self._peek(1) == "conflict":
            self.place += 2
            action = self._next().text.upper()
            return "" if action == "ABORT" else f"ON CONFLICT {action}"  # that is what happens anyway
        return ""

    def _group(self) -> list[Piece]:
        """What stands in the parentheses that open here."""
        end = closing(self.items, self.place)
        inside = self.items[self.place + 1 : end]
        self.place = end + 1
        return inside

    def _next(self) -> Piece:
        piece = self.items[self.place] if self.place < len(self.items) else Piece("")
        self.place += 1
        return piece

    def _peek(self, further: int = 0) -> str | None:
        place = self.place + further
        return self.items[place].text if place < len(self.items) else None

    def _word(self, *words: str) -> str | None:
        if (found := self._peek()) in words:
            self.place += 1
            return found
        return None

    def _taken_name(self) -> str | None:
        name, self.name = self.name, None
        return name
