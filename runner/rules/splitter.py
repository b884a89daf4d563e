"""Statements that plain yoyo would cut in the wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.domain.sql import tokens
from runner.rules.model import File, Finding, Rule, Tree

RULE = Rule(
    id="MX302",
    name="splitter",
    severity="error",
    problem=(
        "Plain yoyo tells statements apart with sqlparse, which is misled by some names (a column called "
        "`begin`), by backslashes before a quote, and by nested comments. This tool runs the file "
        "rightly; `yoyo apply` would not."
    ),
    solution=('Quote the name (`"begin"`), or write the text so that it needs no such thing.'),
    example=(
        "CREATE TABLE spans (begin INTEGER NOT NULL, finish INTEGER NOT NULL);\n"
        "CREATE INDEX spans_finish ON spans (finish);\n"
    ),
)


#: Only with one of these can the splitter be misled; it is slow, and most files have none.
_SUSPECT = re.compile(
    r"\b(?:BEGIN|END|DECLARE|CASE|IF|LOOP|WHILE|FOREACH|FOR|FUNCTION|PROCEDURE|TRIGGER|GO)\b|\\|/\*|\$|`|\[|;[^\S\n]*\S",
    re.IGNORECASE,
)
#: What is no surprise: a quoted or commented word, and FOR and IF where they stand in CREATE TABLE IF NOT EXISTS.
_HARMLESS = re.compile(r"--[^\n]*|'[^'\\]*'|\bIF\s+(?:NOT\s+)?EXISTS\b", re.IGNORECASE)


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if _SUSPECT.search(_HARMLESS.sub("", file.text)):
            yield from _compare(file)


def _compare(file: File) -> Iterator[Finding]:
    import sqlparse

    theirs = [text for part in sqlparse.split(file.text) if (text := _bare(part, file))]
    ours = [_bare(statement.text, file) for statement in file.statements]
    for number, statement in enumerate(file.statements):
        if number >= len(theirs) or ours[number] != theirs[number]:
            yield file.finding(
                RULE,
                statement.start,
                f"plain yoyo would cut this file into {len(theirs)} statements, and it has {len(ours)}; "
                "they part ways at this one"
                if len(theirs) != len(ours)
                else "plain yoyo would cut this statement in another place",
            )
            return
    if len(theirs) > len(ours):
        yield file.finding(RULE, 0, f"plain yoyo would cut this file into {len(theirs)} statements, not {len(ours)}")


def _bare(text: str, file: File) -> tuple[str, ...]:
    return tuple(token.text for token in tokens(text, file.dialect) if token.kind not in ("comment", "end"))
