"""A suppression names a rule, and says why."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX801",
    name="suppression",
    severity="error",
    problem=(
        "A `-- lint-ignore:` line names no rule or an unknown one, gives no reason, or stands where it means nothing."
    ),
    solution=(
        "Write `-- lint-ignore: RULE reason` on the line before the statement, or in the header for the whole file."
    ),
    example=("-- lint-ignore: drop-column\nALTER TABLE notes DROP COLUMN body;\n"),
)
