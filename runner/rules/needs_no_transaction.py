"""Statements that PostgreSQL runs outside a transaction only."""

from __future__ import annotations

from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX305",
    name="needs-no-transaction",
    severity="error",
    problem=(
        "A statement such as `CREATE INDEX CONCURRENTLY` is in a file that runs in a transaction, where "
        "PostgreSQL refuses it."
    ),
    solution=("Give it a file of its own, under `-- transactional: false`."),
    example=("CREATE INDEX CONCURRENTLY notes_body ON notes (body);\n"),
)


_REFUSED = (
    ("CREATE", "DATABASE"),
    ("DROP", "DATABASE"),
    ("CREATE", "TABLESPACE"),
    ("DROP", "TABLESPACE"),
    ("ALTER", "SYSTEM"),
)


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if file.dialect == "sqlite" or not file.migration.transactional:
            continue
        for statement in file.statements:
            words = statement.words[:8]
            index = words[0] in ("CREATE", "DROP", "REINDEX") and "VIEW" not in words and "CONCURRENTLY" in words
            if index or tuple(words[:2]) in _REFUSED:
                yield file.finding(RULE, statement.start, f"{' '.join(words[:2])} ... cannot run in a transaction")
