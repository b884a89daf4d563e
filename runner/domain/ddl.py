"""What a statement makes, drops and renames, as far as its tokens show: enough to review a file without a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from runner.domain.ddl_reader import Reader, split
from runner.domain.ddl_table import TABLE_CONSTRAINTS, Column, Key, column_of, constraint
from runner.domain.migration import Dialect
from runner.domain.sql import Token, tokens

Verb = Literal["create", "drop", "rename"]

#: What stands between CREATE and the kind of thing that is made.
_ADJECTIVES = {
    *("OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "UNIQUE", "CONSTRAINT", "RECURSIVE", "GLOBAL", "LOCAL"),
    *("FOREIGN", "VIRTUAL", "MATERIALIZED", "TRUSTED", "PROCEDURAL", "EVENT"),
}
_KINDS = {
    *("TABLE", "INDEX", "TRIGGER", "VIEW", "SEQUENCE", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "AGGREGATE"),
    *("SCHEMA", "EXTENSION", "POLICY", "RULE", "COLLATION", "STATISTICS", "PUBLICATION", "ROLE", "OPERATOR"),
}
_ON_A_TABLE = {"INDEX", "TRIGGER", "POLICY", "RULE"}


@dataclass(frozen=True)
class Effect:
    """One thing that a statement makes, drops or renames. Offsets count from the start of the file."""

    verb: Verb
    kind: str  # in lower case: table, column, index, trigger, view, constraint, sequence, function ...
    name: str
    start: int
    table: str = ""  # of an index, a trigger, a column or a constraint, as far as it is said
    to: str = ""  # the new name
    columns: tuple[Column, ...] = ()  # of a table; the one of a column
    keys: tuple[Key, ...] = ()
    indexed: tuple[tuple[str, ...], ...] = ()  # the columns of each primary key, unique constraint or index
    temporary: bool = False
    guarded: bool = False  # IF EXISTS, IF NOT EXISTS, OR REPLACE
    opaque: bool = False  # of what it makes, not all can be seen: CREATE TABLE AS, LIKE


def effects(text: str, dialect: Dialect, start: int = 0) -> tuple[Effect, ...]:
    """What one statement does to the schema; nothing for what changes none, or cannot be told from its text."""
    found = [token for token in tokens(text, dialect) if token.kind != "comment"]
    return tuple(read_effects(found, dialect, start))


def read_effects(found: Sequence[Token], dialect: Dialect, start: int) -> Iterator[Effect]:
    """As ``effects``, for the tokens of a statement without its comments."""
    reader = Reader(found, dialect, start)
    if reader.take("CREATE"):
        yield from _create(reader)
    elif reader.take("DROP"):
        yield from _drop(reader)
    elif reader.take("ALTER"):
        yield from _alter(reader)


def _create(reader: Reader) -> Iterator[Effect]:
    adjectives = set()
    while reader.word() in _ADJECTIVES:
        adjectives.add(reader.word())
        reader.at += 1
    kind = reader.word()
    if kind not in _KINDS:
        return
    reader.at += 1
    reader.take("CONCURRENTLY")
    guarded = reader.take("IF", "NOT", "EXISTS") or "REPLACE" in adjectives
    start = reader.offset()
    temporary = bool(adjectives & {"TEMP", "TEMPORARY"})
    name = "" if kind == "INDEX" and reader.word() == "ON" else reader.name()
    table = ""
    indexed: tuple[tuple[str, ...], ...] = ()
    if kind == "TABLE":
        yield _table(reader, name, start, temporary, guarded)
        return
    if kind in _ON_A_TABLE:
        while reader.word() not in ("ON", ""):
            reader.at += 1
        if reader.take("ON"):
            reader.take("ONLY")
            table = reader.name()
        if kind == "INDEX":
            indexed = _indexed(reader)
    if kind == "SEQUENCE" and any(token.text.upper() == "OWNED" for token in reader.found):
        return  # it goes with its table
    yield Effect("create", kind.lower(), name, start, table, indexed=indexed, temporary=temporary, guarded=guarded)


def _indexed(reader: Reader) -> tuple[tuple[str, ...], ...]:
    """The columns of an index that serve a look-up by equality: those before the first expression.

    An index with a condition serves none, unless the condition is that its first column is not null.
    """
    if reader.take("USING"):
        if reader.word() not in ("BTREE", "HASH"):
            return ()
        reader.at += 1
    columns = []
    for part in split(reader.parenthesis()):
        inner = reader.within(part)
        if inner.word(1) == "(" or not (column := inner.name()):
            break
        columns.append(column)
    rest = [token.text.upper() for token in reader.found[reader.at :] if token.kind != "end"]
    if "WHERE" in rest:
        condition = [word.strip('"').lower() for word in rest[rest.index("WHERE") + 1 :] if word not in "()"]
        if condition != [*columns[:1], "is", "not", "null"]:
            return ()
    return (tuple(columns),) if columns else ()


def _table(reader: Reader, name: str, start: int, temporary: bool, guarded: bool) -> Effect:
    body = list(split(reader.parenthesis()))
    columns: list[Column] = []
    keys: list[Key] = []
    indexed: list[tuple[str, ...]] = []
    opaque = not body or reader.word() in ("AS", "PARTITION", "OF")
    for part in body:
        inner = reader.within(part)
        if inner.word() in TABLE_CONSTRAINTS and inner.found[0].kind == "word":
            opaque = opaque or inner.word() == "LIKE"
            _, key, unique = constraint(inner)
            keys += [key] if key else []
            indexed += [unique] if unique else []
        else:
            column = column_of(inner)
            columns.append(column)
            if column.references:
                keys.append(Key((column.name,), column.references, column.start))
            if column.primary or column.unique:
                indexed.append((column.name,))
    return Effect(
        "create",
        "table",
        name,
        start,
        columns=tuple(columns),
        keys=tuple(keys),
        indexed=tuple(indexed),
        temporary=temporary,
        guarded=guarded,
        opaque=opaque,
    )


def _drop(reader: Reader) -> Iterator[Effect]:
    while reader.word() in _ADJECTIVES:
        reader.at += 1
    kind = reader.word()
    if kind not in _KINDS:
        return
    reader.at += 1
    reader.take("CONCURRENTLY")
    guarded = reader.take("IF", "EXISTS")
    while True:
        start = reader.offset()
        name = reader.name()
        if not name:
            return
        if reader.word() == "(":  # a function's arguments
            reader.parenthesis()
        table = ""
        if reader.take("ON"):
            table = reader.name()
        yield Effect("drop", kind.lower(), name, start, table, guarded=guarded)
        if not reader.take(","):
            return


def _alter(reader: Reader) -> Iterator[Effect]:
    while reader.word() in _ADJECTIVES:
        reader.at += 1
    kind = reader.word()
    if kind not in _KINDS:
        return
    reader.at += 1
    reader.take("IF", "EXISTS")
    reader.take("ONLY")
    start = reader.offset()
    name = reader.name()
    if kind != "TABLE":
        table = reader.name() if reader.take("ON") else ""
        if reader.take("RENAME", "TO"):
            yield Effect("rename", kind.lower(), name, start, table, to=reader.name())
        return
    for part in split([token for token in reader.found[reader.at :] if token.kind != "end"]):
        yield from _action(reader.within(part), name, start)


def _action(reader: Reader, table: str, start: int) -> Iterator[Effect]:
    """One of the comma-separated actions of ALTER TABLE."""
    if reader.take("RENAME"):
        if reader.take("TO"):
            yield Effect("rename", "table", table, start, to=reader.name())
            return
        kind = "constraint" if reader.take("CONSTRAINT") else "column"
        reader.take("COLUMN")
        old = reader.name()
        if reader.take("TO"):
            yield Effect("rename", kind, old, start, table, to=reader.name())
    elif reader.take("ADD"):
        if reader.word() in TABLE_CONSTRAINTS and reader.found[reader.at].kind == "word":
            at = reader.offset()
            name, key, unique = constraint(reader)
            keys, indexed = (key,) if key else (), (unique,) if unique else ()
            yield Effect("create", "constraint", name, at, table, keys=keys, indexed=indexed)
            return
        reader.take("COLUMN")
        guarded = reader.take("IF", "NOT", "EXISTS")
        column = column_of(reader)
        keys = (Key((column.name,), column.references, column.start),) if column.references else ()
        indexed = ((column.name,),) if column.primary or column.unique else ()
        yield Effect(
            "create",
            "column",
            column.name,
            column.start,
            table,
            columns=(column,),
            keys=keys,
            indexed=indexed,
            guarded=guarded,
        )
    elif reader.take("DROP"):
        kind = "constraint" if reader.take("CONSTRAINT") else "column"
        reader.take("COLUMN")
        guarded = reader.take("IF", "EXISTS")
        at = reader.offset()
        yield Effect("drop", kind, reader.name(), at, table, guarded=guarded)
