"""The patterns of ``new``: reviewed migrations with places for names, one folder each with a file for each text.

A text begins with its sentence, and with the directives that it needs; ``{{name}}`` is a place. Nothing else is known
of a pattern here but what it asks for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.domain.migration import Dialect
from runner.domain.outcome import Direction

_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Pattern:
    """One pattern: what it is for, the options that it needs, and those that it takes."""

    name: str
    summary: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    def text(self, dialect: Dialect, direction: Direction) -> str:
        """The text with its places."""
        end = "" if direction is Direction.APPLY else ".rollback"
        return (Path(__file__).parent / self.name / f"{dialect}{end}.sql").read_text(encoding="utf-8")


PATTERNS = {
    pattern.name: pattern
    for pattern in (
        Pattern("create-table", "a table with a key, a name, a time and an index", ("table",)),
        Pattern("add-column", "a column; the rows there are get a value", ("table", "column", "default"), ("type",)),
        Pattern("rename-column", "another name for a column", ("table", "column", "to")),
        Pattern("copy-column", "a column twice, until nobody reads the old one", ("table", "column", "to"), ("type",)),
        Pattern("restructure-json", "keys of a JSON object into a part of it", ("table", "column", "group", "keys")),
        Pattern("rebuild-table", "another type for a column; on SQLite by a new table", ("table", "column", "type")),
        Pattern("backfill", "a value for empty columns, on PostgreSQL in batches", ("table", "column", "default")),
        Pattern("add-index", "an index, on PostgreSQL while writers go on", ("table", "column")),
        Pattern("add-reference", "a column with a foreign key", ("table", "column", "parent"), ("key", "type")),
        Pattern(
            "add-foreign-key",
            "a foreign key on a column; on SQLite by a new table",
            ("table", "column", "parent"),
            ("key",),
        ),
    )
}
BLANK = Pattern("blank", "nothing but the beginning")


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with values in its places. KeyError for a place that has none."""
    return _PLACE.sub(lambda match: values[match[1]], text)
