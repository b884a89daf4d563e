"""An UPDATE says which rows it means."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX503",
    name="update-without-where",
    severity="warn",
    problem=(
        "An UPDATE has no WHERE and so writes every row of the table: on PostgreSQL each is written anew "
        "and stays locked until the commit; and what stood in the column is gone."
    ),
    solution=(
        "Say which rows are meant, if only `WHERE column IS NOT NULL`; for a large table use the pattern "
        "`backfill` of `maxwell-db new`."
    ),
    example=("UPDATE notes SET pinned = FALSE;\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        for statement in file.statements:
            if statement.starts("UPDATE") and "WHERE" not in statement.words:
                yield file.finding(RULE, statement.start, "an UPDATE of every row of the table")
