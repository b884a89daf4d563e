"""Names that say when, for which phase and feature, and what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from runner.rules.model import Finding, Rule, Tree

RULE = Rule(
    id="MX106",
    name="name-grammar",
    severity="warn",
    problem=(
        "A name is not `YYYYMMDD_HHMM_<phase>_<feature>_<action>`. Such names sort by the time at which "
        "they were written, so that two branches rarely collide, and say what they are for."
    ),
    solution=("Rename both files, in both dialects, before anybody applies them. `maxwell-db new` writes such names."),
    example=("sql/sqlite/add_notes.sql\n"),
)


_NAME = re.compile(r"(\d{8}_\d{4})_([a-z][a-z0-9]*)_([a-z][a-z0-9]*)_[a-z0-9]+(?:_[a-z0-9]+)*")


def check(tree: Tree) -> Iterator[Finding]:
    for file in tree.chosen:
        if not file.is_apply:
            continue
        match = _NAME.fullmatch(file.migration.id)
        if match is None:
            yield file.finding(RULE, 0, f"'{file.migration.id}' is not YYYYMMDD_HHMM_<phase>_<feature>_<action>")
        elif not _is_time(match[1]):
            yield file.finding(RULE, 0, f"'{file.migration.id}' begins with {match[1]}, which is no date and time")


def _is_time(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d_%H%M")
    except ValueError:
        return False
    return True
