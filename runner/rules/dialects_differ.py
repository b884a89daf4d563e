"""The two files of one migration have the same header."""

from __future__ import annotations

from collections.abc import Iterator

from runner.domain.migration import Migration
from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX205",
    name="dialects-differ",
    severity="error",
    problem=(
        "A migration has another version, revision, dependency or way back in one dialect than in the "
        "other, so that one name means two things."
    ),
    solution=("Give both dialects' files the same lines."),
    example=("-- sql/sqlite/...:    -- version: 1.4.0\n-- sql/postgres/...:  -- version: 1.5.0\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    if len(tree.migrations) < 2:
        return
    one, other = ({migration.id: migration for migration in migrations} for migrations in tree.migrations.values())
    shared = one.keys() & other.keys()
    for id in sorted(shared):
        here, there = _facts(other[id], shared), _facts(one[id], shared)
        for fact, value in here.items():
            if value != there[fact]:
                yield tree.apply(other[id]).finding(
                    RULE, 0, f"its {fact} is {value or 'none'}, but {there[fact] or 'none'} in {one[id].apply.path}"
                )


def _facts(migration: Migration, shared: set[str]) -> dict[str, str | None]:
    """What has to be equal; of the dependencies only those that are in both dialects."""
    return {
        "version": migration.version,
        "revision": migration.revision,
        "dependency": ", ".join(sorted(set(migration.depends) & shared)),
        "way back": "irreversible" if migration.irreversible else "a rollback file",
    }
