"""How many rows the user's own tables have: before and after, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.operations.project import Project


def count_rows(project: Project, connection: Any) -> dict[str, int]:
    """By table; none where they cannot be counted any more."""
    if project.url.dialect == "sqlite":
        from runner.backup.sqlite import count_rows as count
    else:
        from runner.backup.postgres import count_rows as count
    try:
        return users_own(count(connection))
    except connection.Error:
        return {}


def users_own(rows: Mapping[str, int]) -> dict[str, int]:
    """Without the bookkeeping, yoyo's and ours, in whatever schema."""
    return {
        name: count for name, count in rows.items() if not name.rpartition(".")[2].startswith(("_yoyo_", "_maxwell_"))
    }


def beside(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, tuple[int | None, int | None]]:
    """Both counts of each table; None where it was not there."""
    return {table: (before.get(table), after.get(table)) for table in sorted(before.keys() | after.keys())}
