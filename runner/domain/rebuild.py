"""A table's definition with one change in it, for the rebuild that SQLite needs where it cannot alter."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.ddl import effects
from runner.domain.sql import Token, tokens

#: What follows a column's type in its definition.
_AFTER_TYPE = {
    *("CONSTRAINT", "NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "GENERATED", "COLLATE", "AS"),
}


def body(create: str) -> str:
    """Of a CREATE TABLE everything after the name: the parentheses, and what follows them."""
    first = next(token.start for token in tokens(create, "sqlite") if token.text == "(")
    return create[first:].rstrip().rstrip(";")


def with_type(create: str, column: str, type: str) -> str:
    """A CREATE TABLE with another type for a column. KeyError where it has no such column."""
    start = _definition(create, column)
    found = _after(create, start)
    next(found)  # the name
    begin = end = None
    depth = 0
    for token in found:
        text = token.text.upper()
        if depth == 0 and (text in _AFTER_TYPE or text in (",", ")")):
            break
        depth += (text == "(") - (text == ")")
        begin = token.start if begin is None else begin
        end = token.start + len(token.text)
    if begin is None or end is None:  # a column without a type
        name = next(_after(create, start))
        begin = end = name.start + len(name.text)
        type = f" {type}"
    return create[:begin] + type + create[end:]


def with_constraint(create: str, constraint: str) -> str:
    """A CREATE TABLE with one more constraint, after all that it has."""
    depth = 0
    last = None
    for token in tokens(create, "sqlite"):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == ")" and depth == 0:
            break
        if token.kind != "comment":
            last = token
    assert last is not None  # a table has a column
    end = last.start + len(last.text)
    return f"{create[:end]},\n    {constraint}{create[end:]}"


def _definition(create: str, column: str) -> int:
    """Where a column's definition begins."""
    (table,) = (effect for effect in effects(create, "sqlite") if effect.kind == "table")
    return {one.name: one.start for one in table.columns}[column.lower()]


def _after(create: str, start: int) -> Iterator[Token]:
    return (token for token in tokens(create, "sqlite") if token.start >= start and token.kind != "comment")
