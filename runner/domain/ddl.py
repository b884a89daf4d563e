"""What a statement makes, drops and renames, as far as its tokens show: enough to review a file without a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

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
_TABLE_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE", "LIKE"}
_ON_A_TABLE = {"INDEX", "TRIGGER", "POLICY", "RULE"}


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
    reader = _Reader(found, dialect, start)
    if reader.take("CREATE"):
        yield from _create(reader)
    elif reader.take("DROP"):
        yield from _drop(reader)
    elif reader.take("ALTER"):
        yield from _alter(reader)


class _Reader:
    """A place in a statement's tokens."""

    def __init__(self, found: Sequence[Token], dialect: Dialect, start: int) -> None:
        self.found, self.dialect, self.start = found, dialect, start
        self.at = 0

    def word(self, ahead: int = 0) -> str:
        """The token in upper case; empty at the end. A quoted name is none of SQL's words."""
        position = self.at + ahead
        if position >= len(self.found):
            return ""
        token = self.found[position]
        return token.text.upper() if token.kind != "name" else token.text

    def take(self, *words: str) -> bool:
        """Step over these words, if they stand here."""
        if all(self.word(ahead) == word for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def offset(self, ahead: int = 0) -> int:
        position = min(self.at + ahead, len(self.found) - 1)
        return self.start + self.found[position].start

    def name(self) -> str:
        """A name with its schema, as the database folds it; ``public`` and ``main`` go without saying."""
        parts: list[str] = []
        while self.at < len(self.found):
            token = self.found[self.at]
            if token.kind == "name" or (token.kind == "literal" and self.dialect == "sqlite"):
                quote = token.text[-1]
                text = token.text[1:-1].replace(quote * 2, quote)
                parts.append(text.lower() if self.dialect == "sqlite" else text)
            elif token.kind == "word":
                parts += [part for part in token.text.lower().split(".") if part]
            else:
                break
            self.at += 1
            if self.word() == ".":
                self.at += 1
            elif not (token.kind == "word" and token.text.endswith(".")):
                break
        if len(parts) > 1 and parts[0] in ("public", "main"):
            parts = parts[1:]
        return ".".join(parts)

    def parenthesis(self) -> Sequence[Token]:
        """What stands in the parentheses that open here, which are stepped over; nothing where none open."""
        if self.word() != "(":
            return ()
        depth, begin = 0, self.at + 1
        while self.at < len(self.found):
            text = self.found[self.at].text
            depth += (text == "(") - (text == ")")
            self.at += 1
            if depth == 0:
                return self.found[begin : self.at - 1]
        return self.found[begin:]

    def within(self, found: Sequence[Token]) -> _Reader:
        return _Reader(found, self.dialect, self.start)


def _split(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The parts between the commas that stand in no parentheses."""
    depth, begin = 0, 0
    for position, token in enumerate(found):
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "," and depth == 0:
            yield found[begin:position]
            begin = position + 1
    if begin < len(found):
        yield found[begin:]


def _create(reader: _Reader) -> Iterator[Effect]:
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


def _indexed(reader: _Reader) -> tuple[tuple[str, ...], ...]:
    """The columns of an index that serve a look-up by equality: those before the first expression.

    An index with a condition serves none, unless the condition is that its first column is not null.
    """
    if reader.take("USING"):
        if reader.word() not in ("BTREE", "HASH"):
            return ()
        reader.at += 1
    columns = []
    for part in _split(reader.parenthesis()):
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


def _table(reader: _Reader, name: str, start: int, temporary: bool, guarded: bool) -> Effect:
    body = list(_split(reader.parenthesis()))
    columns: list[Column] = []
    keys: list[Key] = []
    indexed: list[tuple[str, ...]] = []
    opaque = not body or reader.word() in ("AS", "PARTITION", "OF")
    for part in body:
        inner = reader.within(part)
        if inner.word() in _TABLE_CONSTRAINTS and inner.found[0].kind == "word":
            opaque = opaque or inner.word() == "LIKE"
            _, key, unique = _constraint(inner)
            keys += [key] if key else []
            indexed += [unique] if unique else []
        else:
            column = _column(inner)
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


def _names(reader: _Reader) -> tuple[str, ...]:
    return tuple(reader.within(part).name() for part in _split(reader.parenthesis()))


def _constraint(reader: _Reader) -> tuple[str, Key | None, tuple[str, ...]]:
    """A table constraint: its name, its foreign key, and the columns that it indexes."""
    start = reader.offset()
    name = reader.name() if reader.take("CONSTRAINT") else ""
    if reader.take("PRIMARY", "KEY") or reader.take("UNIQUE"):
        return name, None, _names(reader)
    if reader.take("FOREIGN", "KEY"):
        columns = _names(reader)
        reader.take("REFERENCES")
        return name, Key(columns, reader.name(), start), ()
    return name, None, ()


_AFTER_TYPE = {
    *("CONSTRAINT", "NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "GENERATED", "COLLATE", "AS"),
    *("AUTOINCREMENT", "STORAGE", "COMPRESSION", "DEFERRABLE", "INITIALLY", "ON", ""),
}


def _column(reader: _Reader) -> Column:
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


def _default(reader: _Reader) -> tuple[str, ...]:
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


def _drop(reader: _Reader) -> Iterator[Effect]:
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


def _alter(reader: _Reader) -> Iterator[Effect]:
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
    for part in _split([token for token in reader.found[reader.at :] if token.kind != "end"]):
        yield from _action(reader.within(part), name, start)


def _action(reader: _Reader, table: str, start: int) -> Iterator[Effect]:
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
        if reader.word() in _TABLE_CONSTRAINTS and reader.found[reader.at].kind == "word":
            at = reader.offset()
            name, key, unique = _constraint(reader)
            keys, indexed = (key,) if key else (), (unique,) if unique else ()
            yield Effect("create", "constraint", name, at, table, keys=keys, indexed=indexed)
            return
        reader.take("COLUMN")
        guarded = reader.take("IF", "NOT", "EXISTS")
        column = _column(reader)
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
