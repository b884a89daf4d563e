"""What SQLite's ADD COLUMN cannot do."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.ddl_table import Column
from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX702",
    name="sqlite-add-column",
    severity="error",
    problem=(
        "ALTER TABLE ... ADD COLUMN with a primary key, a unique constraint, a stored generated value, or "
        "a default that is not constant. SQLite refuses all of these, some only when the table has rows."
    ),
    solution=(
        "Make a unique index after adding the column; fill a computed value with an UPDATE; or rebuild the table."
    ),
    example=("ALTER TABLE notes ADD COLUMN created_at DATETIME DEFAULT CURRENT_TIMESTAMP;\n"),
)


_NOT_CONSTANT = {"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"}


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if file.dialect != "sqlite":
            continue
        for statement in file.statements:
            for effect in statement.effects:
                if effect.verb == "create" and effect.kind == "column":
                    for problem in _problems(effect.columns[0]):
                        yield file.finding(RULE, effect.start, f"ADD COLUMN {effect.name}: {problem}")


def _problems(column: Column) -> Iterator[str]:
    if column.primary:
        yield "a new column cannot be the primary key"
    if column.unique:
        yield "a new column cannot be UNIQUE"
    if column.generated == "stored":
        yield "a new generated column cannot be STORED"
    if set(column.default) & _NOT_CONSTANT or (column.default[:1] == ("(",) and not _is_constant(column.default)):
        yield f"its default is not constant: {' '.join(column.default)}"


def _is_constant(default: tuple[str, ...]) -> bool:
    """A literal in parentheses, or a sum of numbers; anything with a name in it is computed."""
    names = [word for word in default if word[0].isalpha() and word not in ("NULL", "TRUE", "FALSE", "NOT")]
    return not names
