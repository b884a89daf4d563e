"""Nothing stands after the last statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.domain.sql import tokens
from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX301",
    name="trailing-text",
    severity="error",
    problem=(
        "A comment or a semicolon follows the last statement. Plain yoyo sends it to PostgreSQL as a "
        'statement of its own, and the whole file fails with "can\'t execute an empty query".'
    ),
    solution=("Move the comment above the statement; remove the semicolon."),
    example=("CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n-- That was all.\n"),
)

_SAME_LINE = re.compile(r"\A[^\S\n]*--[^\n]*")  # yoyo's splitter takes it for a part of the statement


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if not file.statements:
            continue
        last = file.statements[-1]
        end = last.start + last.tokens[-1].start + len(last.tokens[-1].text)
        rest = _SAME_LINE.sub("", file.text[end:], 1)
        if rest.strip():
            end = len(file.text) - len(rest)
            after = next(tokens(rest, file.dialect))
            what = "a comment" if after.kind == "comment" else f"'{after.text}'"
            yield file.finding(RULE, end + after.start, f"{what} follows the last statement")
