"""One order for names, dependencies, numbers and versions."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX203",
    name="order",
    severity="error",
    problem=(
        "Names, dependencies, leading numbers, versions or revisions do not agree on one order, or two "
        "migrations have one version or revision."
    ),
    solution=("Rename the file or correct its `-- depends:`, `-- version:` or `-- revision:` line."),
    example=(
        "-- Add notes.\n-- depends: 20990101_0000_not_here\nCREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY);\n"
    ),
)
CODES = frozenset({"DUPLICATE_REVISION", "UNKNOWN_DEPENDENCY", "DEPENDENCY_CYCLE", "BAD_ORDER", "DUPLICATE_VERSION"})
