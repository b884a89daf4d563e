"""A new column that may not be NULL needs a value for the rows that are there."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX504",
    name="not-null-without-default",
    severity="error",
    problem=(
        "ADD COLUMN with NOT NULL and no default. SQLite refuses it outright, PostgreSQL as soon as the "
        "table has a row."
    ),
    solution=(
        "Give it a default: `ADD COLUMN kind TEXT NOT NULL DEFAULT 'note'`; or add it without NOT NULL, and fill it."
    ),
    example=("ALTER TABLE notes ADD COLUMN kind TEXT NOT NULL;\n"),
)


_FILLS_ITSELF = ("SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8")


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        made: set[str] = set()
        for statement in file.statements:
            for effect in statement.effects:
                if effect.verb == "create" and effect.kind == "table":
                    made.add(effect.name)
                if effect.verb != "create" or effect.kind != "column":
                    continue
                (column,) = effect.columns
                empty = not column.default or column.default == ("NULL",)
                fills = column.generated or (file.dialect == "postgres" and column.type in _FILLS_ITSELF)
                known_empty = file.dialect == "postgres" and effect.table in made
                if column.not_null and empty and not fills and not known_empty:
                    yield file.finding(
                        RULE, effect.start, f"the column {effect.table}.{column.name} is NOT NULL and has no default"
                    )
