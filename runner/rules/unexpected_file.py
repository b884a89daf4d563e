"""What does not belong into a folder of migrations."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX101",
    name="unexpected-file",
    severity="error",
    problem=(
        "A file, folder or link in the folder is no migration, cannot be read, or can be changed by "
        "everybody. yoyo executes Python files, follows links, and passes other names over in silence."
    ),
    solution=("Move it out of the folder, rename it, or correct its permissions."),
    example=("sql/sqlite/helpers.py\n"),
)
CODES = frozenset({"UNREADABLE_FILE", "PYTHON_MIGRATION", "UNEXPECTED_FILE", "WORLD_WRITABLE"})
