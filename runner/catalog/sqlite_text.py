"""The texts of SQLite's indexes, triggers and views, in their parts."""

from __future__ import annotations

from dataclasses import dataclass

from runner.catalog.sqlite_pieces import Piece, closing, joined, pieces, split


@dataclass(frozen=True)
class IndexText:
    """What a CREATE INDEX says of the index itself."""

    keys: tuple[str, ...]
    unique: bool
    predicate: str | None


def read_index(text: str) -> IndexText:
    """The keys of a CREATE INDEX, and its WHERE."""
    items = pieces(text)
    on = next(number for number, piece in enumerate(items) if piece.word and piece.text == "on")
    start = next(number for number, piece in enumerate(items) if number > on and piece.text == "(")
    end = closing(items, start)
    keys = tuple(_without_asc(part) for part in split(items[start + 1 : end]))
    rest = [piece for piece in items[end + 1 :] if piece.text != ";"]
    unique = any(piece.word and piece.text == "unique" for piece in items[:2])
    return IndexText(keys, unique, joined(rest[1:]) if rest and rest[0].text == "where" else None)


@dataclass(frozen=True)
class TriggerText:
    """What a CREATE TRIGGER says of the trigger itself."""

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
