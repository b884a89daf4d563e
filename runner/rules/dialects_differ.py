"""The two files of one migration have the same header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

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
        here, there = _facts(other[id], other, shared), _facts(one[id], one, shared)
        for fact, value in here.items():
            if value != there[fact]:
                yield tree.apply(other[id]).finding(
                    RULE, 0, f"its {fact} is {value or 'none'}, but {there[fact] or 'none'} in {one[id].apply.path}"
                )


def _facts(migration: Migration, tree: Mapping[str, Migration], shared: Set[str]) -> dict[str, str | None]:
    """What has to be equal in both dialects."""
    return {
        "version": migration.version,
        "revision": migration.revision,
        "dependency": ", ".join(sorted(_dependencies(migration, tree, shared))),
        "way back": "irreversible" if migration.irreversible else "a rollback file",
    }


def _dependencies(migration: Migration, tree: Mapping[str, Migration], shared: Set[str]) -> set[str]:
    """What it depends on in both dialects; in the place of one that is in this dialect alone, what that depends on."""
    found: set[str] = set()
    for id in migration.depends:
        if id in shared:
            found.add(id)
        elif id in tree:
            found |= _dependencies(tree[id], tree, shared)
    return found
