"""A rollback leaves the very schema that was there before."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree
from runner.rules.outlines import steps

RULE = Rule(
    id="MX402",
    name="rollback-incomplete",
    severity="error",
    problem=(
        "After the rollback something of the migration is left, or something that the migration dropped "
        "is not there again: the next apply fails on it, or finds another schema."
    ),
    solution=("Mirror the apply file, last change first: drop what it makes, make again what it drops."),
    example=(
        "-- apply:     CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n"
        "--            CREATE TABLE tags (id INTEGER NOT NULL PRIMARY KEY);\n"
        "-- rollback:  DROP TABLE notes;\n"
    ),
)


def check(tree: Tree) -> Iterator[Finding]:
    for step in steps(tree):
        if step.opaque or step.rollback is None:
            continue
        start = step.rollback.statements[0].start if step.rollback.statements else 0
        left, lost = step.final - step.before, step.before - step.final
        # What goes with its table needs no word of its own.
        for kind, name in sorted(left):
            if not any(other == "table" and name.startswith(f"{table}.") for other, table in left):
                made = "which its migration made" if (kind, name) in step.after else "which was not there before"
                yield step.rollback.finding(RULE, start, f"leaves the {kind} {name}, {made}")
        for kind, name in sorted(lost - step.after):
            if not any(other == "table" and name.startswith(f"{table}.") for other, table in lost):
                yield step.rollback.finding(
                    RULE, start, f"does not make the {kind} {name} again, which its migration dropped"
                )
        for kind, name in sorted(lost & step.after):
            if (kind, name) not in step.drops and not any(
                other == "table" and (table == step.owner(kind, name)) for other, table in lost
            ):
                yield step.rollback.finding(
                    RULE, start, f"does not make the {kind} {name} again, which goes with a table that it drops"
                )
