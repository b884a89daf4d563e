"""Indexes that are built or dropped CONCURRENTLY: outside a transaction, and left invalid when that fails half way."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from psycopg2.sql import SQL, Composable, Identifier

from runner.domain.sql import tokens

IndexState = Literal["absent", "building", "invalid", "valid"]


@dataclass(frozen=True)
class ConcurrentIndex:
    """What a statement does CONCURRENTLY, and to which index (as the statement writes its name, part by part)."""

    verb: Literal["CREATE", "DROP"]
    name: tuple[str, ...]

    @property
    def sql(self) -> Composable:
        return Identifier(*self.name)


def concurrent_index(statement: str) -> ConcurrentIndex | None:
    """The index that ``CREATE [UNIQUE] INDEX CONCURRENTLY`` or ``DROP INDEX CONCURRENTLY`` names; None for all else.

    An index that the server is left to name cannot be found again, and is None too.
    """
    words = [token for token in tokens(statement, "postgres") if token.kind != "comment"]
    upper = [token.text.upper() if token.kind == "word" else token.text for token in words]
    rest = 0
    for start in (["CREATE", "INDEX"], ["CREATE", "UNIQUE", "INDEX"], ["DROP", "INDEX"]):
        if upper[: len(start) + 1] == [*start, "CONCURRENTLY"]:
            rest = len(start) + 1
    if not rest:
        return None
    for clause in (["IF", "NOT", "EXISTS"], ["IF", "EXISTS"]):
        if upper[rest : rest + len(clause)] == clause:
            rest += len(clause)
    name: list[str] = []
    for token in words[rest:]:
        if token.kind == "name":
            name.append(token.text[1:-1].replace('""', '"'))
        elif token.kind == "word" and token.text.upper() != "ON":
            name += [part for part in token.text.lower().split(".") if part]
        elif token.text != ".":
            break
    verb: Literal["CREATE", "DROP"] = "CREATE" if upper[0] == "CREATE" else "DROP"
    return ConcurrentIndex(verb, tuple(name)) if name else None


def index_state(connection: Any, index: ConcurrentIndex) -> IndexState:
    """What is there of the index now."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            """
            SELECT i.indisvalid,
                   EXISTS (SELECT FROM pg_stat_progress_create_index AS p WHERE p.index_relid = i.indexrelid)
            FROM pg_index AS i WHERE i.indexrelid = to_regclass(%s)
            """,
            (index.sql.as_string(connection),),
        )
        row = cursor.fetchone()
    if row is None:
        return "absent"
    return "valid" if row[0] else "building" if row[1] else "invalid"


def drop_index(connection: Any, index: ConcurrentIndex) -> None:
    """Drop an index without keeping writers waiting; outside a transaction."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index.sql))
