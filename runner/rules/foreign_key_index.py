"""A foreign key's columns have an index."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree
from runner.rules.outlines import head

RULE = Rule(
    id="MX601",
    name="foreign-key-index",
    severity="warn",
    problem=(
        "A foreign key's columns are not the first ones of any index, primary key or unique constraint. "
        "Each DELETE of a parent, and each change of its key, then reads the whole child table; "
        "PostgreSQL makes no such index by itself. An index that a later migration adds counts."
    ),
    solution=(
        "Make an index that begins with these columns; where the child table stays small, say so with `-- "
        "lint-ignore:`."
    ),
    example=(
        "CREATE TABLE notes (\n"
        "    id INTEGER NOT NULL PRIMARY KEY,\n"
        "    scene_id VARCHAR(36) REFERENCES scenes (id)\n"
        ");\n"
    ),
)


def check(tree: Tree) -> Iterator[Finding]:
    for dialect in tree.migrations:
        outline = head(tree, dialect)
        indexed: dict[str, set[tuple[str, ...]]] = {
            name: {columns for columns in table.indexed if columns} for name, table in outline.tables.items()
        }
        for index in outline.indexes.values():
            indexed.setdefault(index.table, set()).update(index.columns)
        for name, table in outline.tables.items():
            for key, file in table.keys:
                width = len(key.columns)
                if not any(set(columns[:width]) == set(key.columns) for columns in indexed[name]):
                    said = ", ".join(key.columns)
                    yield file.finding(RULE, key.start, f"the foreign key {name} ({said}) to {key.parent} has no index")
