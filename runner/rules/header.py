"""Directives that would be lost or misread."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX201",
    name="header",
    severity="error",
    problem=(
        "A line of the header has an unknown key, a value that it cannot have, or stands where yoyo does "
        "not read it. A directive that is silently lost means a wrong order, or an index built inside a "
        "transaction."
    ),
    solution=("Correct the line; the keys are in [migrations.md](migrations.md#the-header)."),
    example=(
        "-- Add notes.\n"
        "-- depend: 20260126_1000_phase3_coach_add_tables\n"
        "CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n"
    ),
)
CODES = frozenset({"BAD_DIRECTIVE", "MISPLACED_DIRECTIVE", "UNKNOWN_DIRECTIVE"})
