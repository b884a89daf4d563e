"""Reading the SQL that SQLite keeps of each object: what no pragma tells (checks, names, collations, expressions).

The text is what the user wrote, as edited by ALTER TABLE. It is brought into one form, so that quotes, case, comments
and white space make no difference: words in lower case, names without quotes where they need none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from runner.domain.sql import tokens

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_OPERATOR = re.compile(r"->>|->|\|\||<=|>=|<>|!=|==|<<|>>|.")
_AFTER_COLUMN = {"constraint", "primary", "not", "null", "unique", "check", "default", "collate", "references"}
_AFTER_COLUMN |= {"generated", "as"}


@dataclass(frozen=True)
class Piece:
    """One token in its one form. ``word``: it was written without quotes, and may be a keyword."""

    text: str
    word: bool = False


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


def pieces(text: str) -> list[Piece]:
    """The tokens of a text without comments, each in its one form."""
    found: list[Piece] = []
    for token in tokens(text, "sqlite"):
        if token.kind == "comment":
            continue
        if token.kind == "word":
            parts = [token.text.lower()] if token.text[0].isdigit() else _dotted(token.text.lower())
            found += [Piece(part, part != ".") for part in parts]
        elif token.kind == "name":
            found.append(Piece(_unquoted(token.text)))
        elif token.kind == "operator":
            found += [Piece(part) for part in _OPERATOR.findall(token.text)]
        else:
            found.append(Piece(token.text))
    return found


def joined(items: Sequence[Piece]) -> str:
    """The pieces as SQL, with white space where it belongs."""
    text = ""
    for before, piece in zip([None, *items], items, strict=False):
        tight = before is None or piece.text in (",", ")", ".", ";") or before.text in ("(", ".")
        call = before is not None and piece.text == "(" and before.word and before.text not in _SPACED
        text += piece.text if tight or call else f" {piece.text}"
    return text


_SPACED = {"and", "or", "not", "in", "values", "check", "as", "when", "then", "else", "between", "like", "is", "on"}
_SPACED |= {"select", "from", "where", "set", "exists", "join", "union", "all", "having", "case", "into", "over"}


def one_form(text: str) -> str:
    """A text in its one form."""
    return joined(pieces(text))


def default_text(text: str | None) -> str | None:
    """The default of a column, without parentheses around it; None for none, and for NULL, which is the same."""
    if text is None:
        return None
    items = pieces(text)
    while len(items) > 1 and items[0].text == "(" and _closing(items, 0) == len(items) - 1:
        items = items[1:-1]
    if len(items) == 1 and items[0].word:
        return None if items[0].text == "null" else items[0].text.upper()
    if len(items) == 1 and text.strip("( )").startswith('"'):
        inner = text.strip("( )")[1:-1].replace('""', '"').replace("'", "''")
        return f"'{inner}'"  # SQLite takes it for a string here
    if items and items[0].text == "+":
        items = items[1:]
    return "".join(piece.text for piece in items) if len(items) == 2 else joined(items)


def read_table(text: str) -> TableText:
    """What a CREATE TABLE says of its columns and constraints."""
    table = TableText()
    items = pieces(text)
    start = next(number for number, piece in enumerate(items) if piece.text == "(")
    end = _closing(items, start)
    table.options = ", ".join(
        joined(part).upper() for part in _split([piece for piece in items[end + 1 :] if piece.text != ";"])
    )
    for part in _split(items[start + 1 : end]):
        if part[0].word and part[0].text in ("constraint", "primary", "unique", "check", "foreign"):
            _Constraints(table, None, part).read()
        else:
            column = part[0].text
            rest = next((n for n, piece in enumerate(part) if n and piece.word and piece.text in _AFTER_COLUMN), None)
            if rest is not None:
                _Constraints(table, _bare(column), part[rest:]).read()
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
        self.name = _bare(self._next().text)

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
        parent = _bare(self._next().text)
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
        return tuple(_bare(part[0].text) for part in _split(self._group()))

    def _conflict(self) -> str:
        if self._peek() == "on" and self._peek(1) == "conflict":
            self.place += 2
            action = self._next().text.upper()
            return "" if action == "ABORT" else f"ON CONFLICT {action}"  # that is what happens anyway
        return ""

    def _group(self) -> list[Piece]:
        """What stands in the parentheses that open here."""
        end = _closing(self.items, self.place)
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


@dataclass(frozen=True)
class IndexText:
    keys: tuple[str, ...]
    unique: bool
    predicate: str | None


def read_index(text: str) -> IndexText:
    """The keys of a CREATE INDEX, and its WHERE."""
    items = pieces(text)
    on = next(number for number, piece in enumerate(items) if piece.word and piece.text == "on")
    start = next(number for number, piece in enumerate(items) if number > on and piece.text == "(")
    end = _closing(items, start)
    keys = tuple(_without_asc(part) for part in _split(items[start + 1 : end]))
    rest = [piece for piece in items[end + 1 :] if piece.text != ";"]
    unique = any(piece.word and piece.text == "unique" for piece in items[:2])
    return IndexText(keys, unique, joined(rest[1:]) if rest and rest[0].text == "where" else None)


@dataclass(frozen=True)
class TriggerText:
    timing: str
    events: tuple[str, ...]
    condition: str | None
    body: str


def read_trigger(text: str) -> TriggerText:
    """A CREATE TRIGGER in its parts."""
    items = pieces(text)
    begin = next(number for number, piece in enumerate(items) if piece.word and piece.text == "begin")
    head, body = items[:begin], items[begin + 1 :]
    body = _without_semicolons(_without_semicolons(body)[:-1])  # the last word is END
    place = next(number for number, piece in enumerate(head) if piece.word and piece.text == "trigger") + 1
    if [piece.text for piece in head[place : place + 3]] == ["if", "not", "exists"]:
        place += 3
    place += 3 if head[place + 1].text == "." else 1
    timing = {"before": "BEFORE", "after": "AFTER", "instead": "INSTEAD OF"}.get(head[place].text)
    place += {None: 0, "INSTEAD OF": 2}.get(timing, 1)
    on = next(number for number, piece in enumerate(head) if number > place and piece.word and piece.text == "on")
    event = head[place].text.upper()
    if columns := sorted(piece.text for piece in head[place + 2 : on] if piece.text != ","):
        event += f" OF {', '.join(columns)}"
    when = next((number for number, piece in enumerate(head) if number > on and piece.text == "when"), None)
    condition = None if when is None else joined(head[when + 1 :])
    return TriggerText(timing or "BEFORE", (event,), condition, joined(body))


def read_view(text: str) -> str:
    """The query of a CREATE VIEW."""
    items = [piece for piece in pieces(text) if piece.text != ";"]
    at = next(number for number, piece in enumerate(items) if piece.word and piece.text == "as")
    return joined(items[at + 1 :])


def _without_semicolons(items: list[Piece]) -> list[Piece]:
    while items and items[-1].text == ";":
        items = items[:-1]
    return items


def _without_asc(items: list[Piece]) -> str:
    return joined(items[:-1] if len(items) > 1 and items[-1].word and items[-1].text == "asc" else items)


def _split(items: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The parts between the commas that stand in no parentheses."""
    part: list[Piece] = []
    depth = 0
    for piece in items:
        depth += (piece.text == "(") - (piece.text == ")")
        if piece.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(piece)
    if part:
        yield part


def _closing(items: Sequence[Piece], start: int) -> int:
    """Where the parenthesis that opens at ``start`` closes."""
    depth = 0
    for number in range(start, len(items)):
        depth += (items[number].text == "(") - (items[number].text == ")")
        if depth == 0:
            return number
    return len(items)


def _dotted(text: str) -> list[str]:
    parts: list[str] = []
    for part in text.split("."):
        parts += [".", part] if parts else [part]
    return [part for part in parts if part]


def _unquoted(text: str) -> str:
    """A quoted name without its quotes, where it needs none."""
    close = text[-1] if text[0] != "[" else "]"
    inner = text[1:-1].replace(close * 2, close) if text[0] != "[" else text[1:-1]
    lower = inner.lower()
    doubled = lower.replace('"', '""')
    return lower if _PLAIN.fullmatch(lower) else f'"{doubled}"'


def _bare(text: str) -> str:
    """A piece that is a name, as the name itself."""
    return text[1:-1].replace('""', '"') if text.startswith('"') else text
