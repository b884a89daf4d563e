"""A column's values are taken away on purpose, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX502",
    name="drop-column",
    severity="error",
    problem=(
        "An apply file drops a column. Its values are gone for good; and code that was deployed before "
        "the migration still asks for it."
    ),
    solution=(
        "Copy the values first and say so above the statement: `-- lint-ignore: drop-column its values "
        "are in ...`; or name the table in the header: `-- expect-row-loss: TABLE`."
    ),
    example=("ALTER TABLE notes DROP COLUMN body;\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if not file.is_apply:
            continue
        expected = {name.lower() for name in file.migration.expect_row_loss}
        made = set()
        for statement in file.statements:
            for effect in statement.effects:
                key = (effect.table, effect.name)
                if effect.kind == "table" and effect.verb == "create":
                    made |= {(effect.name, column.name) for column in effect.columns}
                elif effect.kind == "column" and effect.verb == "create":
                    made.add(key)
                elif (
                    effect.kind == "column"
                    and effect.verb == "drop"
                    and key not in made
                    and effect.table.lower() not in expected
                ):
                    yield file.finding(RULE, effect.start, f"drops the column {effect.table}.{effect.name}")
