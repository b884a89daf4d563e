"""A suppression that suppresses nothing."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX802",
    name="unused-suppression",
    severity="warn",
    problem=(
        "A `-- lint-ignore:` line names a rule that finds nothing there. It would hide the next thing "
        "that the rule finds."
    ),
    solution=("Remove the line."),
    example=(
        "-- lint-ignore: drop-column the values are in notes.text\n"
        "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n"
    ),
)
