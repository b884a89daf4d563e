"""A migration without its way back, or the way back alone."""

from __future__ import annotations

from runner.rules.model import Rule

RULE = Rule(
    id="MX104",
    name="missing-pair",
    severity="error",
    problem=(
        "An apply file has no rollback file beside it, or a rollback file has no apply file. Plain yoyo "
        "rolls such a migration back by doing nothing, and says that it succeeded."
    ),
    solution=(
        "Write the other file of the pair; or say in the header why there is no way back: `-- irreversible: reason`."
    ),
    example=("sql/sqlite/20260301_0900_phase4_notes_add_table.sql   (and no .rollback.sql)\n"),
)
CODES = frozenset({"MISSING_ROLLBACK", "ORPHAN_ROLLBACK"})
