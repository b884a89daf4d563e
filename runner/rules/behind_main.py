"""New migrations that sort before those of the main branch."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX108",
    name="behind-main",
    severity="error",
    problem=(
        "With `--since REF`: a new migration sorts before the newest one of that branch. A database that "
        "has applied that one already meets the new one out of order."
    ),
    solution=("Rename it so that it comes last, and let it depend on the newest one of that branch."),
    example=("$ maxwell-db lint --since origin/main\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    if tree.base is None:
        return
    for file in tree.chosen:
        newest = tree.base.newest.get(file.path.parent, "")
        if file.is_apply and file.path not in tree.base.texts and file.migration.id < newest:
            yield file.finding(RULE, 0, f"is new, but sorts before {newest}, which is in {tree.base.ref}")
