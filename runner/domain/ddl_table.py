"""What stands in the parentheses of a CREATE TABLE: columns and constraints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runner.domain.ddl_reader import Reader, split

TABLE_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE", "LIKE"}


@dataclass(frozen=True)
class Key:
    """A foreign key: the columns that refer, and the table that they refer to."""

    columns: tuple[str, ...]
    parent: str
    start: int


@dataclass(frozen=True)
class Column:
    """A column's definition. ``default`` is its tokens in upper case; empty: none."""

    name: str
    start: int
    type: str = ""
    not_null: bool = False
    default: tuple[str, ...] = ()
    primary: bool = False
    unique: bool = False
    generated: Literal["", "stored", "virtual", "identity"] = ""
    references: str = ""


def names(reader: Reader) -> tuple[str, ...]:
    return tuple(reader.within(part).name() for part in split(reader.parenthesis()))


def constraint(reader: Reader) -> tuple[str, Key | None, tuple[str, ...]]:
    """A table constraint: its name, its foreign key, and the columns that it indexes."""
    start = reader.offset()
    name = reader.name() if reader.take("CONSTRAINT") else ""
    if reader.take("PRIMARY", "KEY") or reader.take("UNIQUE"):
        return name, None, names(reader)
    if reader.take("FOREIGN", "KEY"):
        columns = names(reader)
        reader.take("REFERENCES")
        return name, Key(columns, reader.name(), start), ()
    return name, None, ()


_AFTER_TYPE = {
    *("CONSTRAINT", "NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "GENERATED", "COLLATE", "AS"),
    *("AUTOINCREMENT", "STORAGE", "COMPRESSION", "DEFERRABLE", "INITIALLY", "ON", ""),
}


def column_of(reader: Reader) -> Column:
    start = reader.offset()
    name = reader.name()
    kind: list[str] = []
    while reader.word() not in _AFTER_TYPE:
        if reader.word() == "(":
            kind += ["(", *(token.text for token in reader.parenthesis()), ")"]
        else:
            kind.append(reader.word())
            reader.at += 1
    not_null = primary = unique = False
    default: tuple[str, ...] = ()
    generated: Literal["", "stored", "virtual", "identity"] = ""
    references = ""
    while word := reader.word():
        if word == "(":
            reader.parenthesis()
            continue
        reader.at += 1
        if word == "SET":
            reader.at += 1  # ON DELETE SET DEFAULT gives no default
        elif word == "NOT" and reader.take("NULL"):
            not_null = True
        elif word == "PRIMARY":
            primary = True
        elif word == "UNIQUE":
            unique = True
        elif word == "DEFAULT":
            default = _default(reader)
        elif word in ("AS", "GENERATED"):
            words = [token.text.upper() for token in reader.found[reader.at :]]
            generated = "identity" if "IDENTITY" in words else "stored" if "STORED" in words else "virtual"
        elif word == "REFERENCES":
            references = reader.name()
    return Column(name, start, " ".join(kind), not_null, default, primary, unique, generated, references)


def _default(reader: Reader) -> tuple[str, ...]:
    begin = reader.at
    if reader.word() == "(":
        reader.parenthesis()
    else:
        reader.at += 2 if reader.word() in ("+", "-") else 1
        if reader.word() == "(":
            reader.parenthesis()
        while reader.word()[:1] == ":":  # a cast of PostgreSQL's
            reader.at += 2
    return tuple(token.text.upper() for token in reader.found[begin : reader.at])
