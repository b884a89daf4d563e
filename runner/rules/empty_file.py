"""A file that does nothing."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX103",
    name="empty-file",
    severity="error",
    problem=(
        "A file has no statement. yoyo would mark it as applied, or as taken back, and nothing would have happened."
    ),
    solution=("Write the statement, or remove the pair."),
    example=("-- To do: the index.\n"),
)
CODES = frozenset({"EMPTY_FILE"})
