"""Every migration but the first names the one before it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX204",
    name="missing-depends",
    severity="warn",
    problem=(
        "A migration that is not the first has no `-- depends:` line. Nothing but its name keeps it "
        "behind the others, and a branch that brought another one in between is not noticed."
    ),
    solution=("Name the migration before it: `-- depends: ID`."),
    example=("-- Add notes.\nCREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    for migrations in tree.migrations.values():
        for before, migration in itertools.pairwise(migrations):
            file = tree.apply(migration)
            if not migration.depends and tree.is_chosen(file.path):
                yield file.finding(
                    RULE,
                    0,
                    "depends on nothing, though it is not the first",
                    f"Add the line '-- depends: {before.id}'.",
                )
