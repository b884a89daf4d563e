"""A migration begins by saying why it is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX202",
    name="header-sentence",
    severity="warn",
    problem=(
        "A file does not begin with a sentence in a comment. What a migration does can be read below; why, only there."
    ),
    solution=("Begin the file with a comment that says why the change is made."),
    example=("-- version: 1.4.0\nCREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n"),
)


_SENTENCE = re.compile(r"\s*--\s*(?![\w-]+\s*:(?:\s|$))\S.*")


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if not _SENTENCE.match(file.text):
            yield file.finding(RULE, 0, "does not begin with a sentence that says why")
