"""A rollback leaves the very schema that was there before."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree
from runner.rules.outlines import Step, steps

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
        start = step.rollback.statements[0].start
        for thing, why in _problems(step):
            yield step.rollback.finding(RULE, start, why.format(thing))


def _problems(step: Step) -> Iterator[tuple[str, str]]:
    """What is other than before; what goes with a table that is told of needs no word of its own."""
    left, lost = step.final - step.before, step.before - step.final
    for kind, name in sorted(left):
        if ("table", step.owner(kind, name)) not in left:
            made = "which its migration made" if (kind, name) in step.after else "which was not there before"
            yield f"{kind} {name}", f"leaves the {{}}, {made}"
    for kind, name in sorted(lost):
        if ("table", step.owner(kind, name)) in lost:
            continue
        if (kind, name) not in step.after:
            yield f"{kind} {name}", "does not make the {} again, which its migration dropped"
        elif (kind, name) not in step.drops:
            yield f"{kind} {name}", "does not make the {} again, which goes with a table that it drops"
