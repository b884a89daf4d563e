"""Edits of what others may have applied already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.domain.sql import same_tokens
from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX107",
    name="edited-migration",
    severity="error",
    problem=(
        "With `--since REF`: a migration that is in that branch was edited, renamed or removed here. "
        "Databases that have applied it will not get the change, and `apply` refuses to go on there. An "
        "edit of comments alone is a warning."
    ),
    solution=("Restore the file as it is in that branch, and put the change into a new migration."),
    example=("$ maxwell-db lint --since origin/main\n"),
)


def check(tree: Tree) -> Iterator[Finding]:
    if tree.base is None:
        return
    files = {file.path: file for dialect in tree.migrations for file in tree.files(dialect)}
    for path, text in sorted(tree.base.texts.items()):
        file = files.get(path)
        if file is None:
            if not path.exists():  # else the folder's reader has said why it cannot be read
                yield _gone(path, tree.base.ref)
        elif file.text != text:
            cosmetic = same_tokens(file.text, text, file.dialect)
            yield file.finding(
                RULE,
                _first_difference(file.text, text),
                f"edited since {tree.base.ref}" + (", though only in comments or white space" if cosmetic else ""),
                severity="warn" if cosmetic else None,
            )


def _gone(path: Path, ref: str) -> Finding:
    return Finding(RULE.name, RULE.severity, path, 1, 1, f"is in {ref}, and was removed or renamed here", RULE.solution)


def _first_difference(here: str, there: str) -> int:
    for offset, (one, other) in enumerate(zip(here, there, strict=False)):
        if one != other:
            return offset
    return max(0, min(len(here), len(there)) - 1)
