"""A rollback takes away what its migration made, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree
from runner.rules.outlines import steps

RULE = Rule(
    id="MX401",
    name="rollback-drops-other",
    severity="error",
    problem=(
        "The rollback drops a table, column, index, trigger or view that its migration did not make, or "
        "that is not there at all: what was there before the migration is gone after it is taken back."
    ),
    solution=("Drop only what the apply file makes."),
    example=("-- apply:     ALTER TABLE notes ADD COLUMN pinned BOOLEAN;\n-- rollback:  DROP TABLE notes;\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    for step in steps(tree):
        if step.opaque or step.rollback is None:
            continue
        lost = step.before & step.after - step.final
        for (kind, name), drop in step.drops.items():
            if (kind, name) in lost:
                yield step.rollback.finding(RULE, drop, f"drops the {kind} {name}, which its migration did not make")
        for drop, kind, name in step.unknown:
            yield step.rollback.finding(
                RULE, drop, f"drops or renames the {kind} {name}, which is not there after its migration"
            )
