"""Where the migrations of one dialect lie, and what their files are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.domain.migration import Dialect

APPLY, ROLLBACK = ".sql", ".rollback.sql"


def is_hidden(name: str) -> bool:
    """.gitkeep, .DS_Store and an editor's swap files: yoyo does not see them either."""
    return name.startswith(".") and not name.endswith((".sql", ".py"))


def dialect_folder(root: Path, dialect: Dialect) -> Path:
    """``ROOT/sqlite`` or ``ROOT/postgres``; or ROOT itself where it holds the migrations of one dialect."""
    if not root.is_dir():
        raise UsageError(
            f"no such folder: {root}", code="NO_SUCH_FOLDER", hint="Name your migrations' folder with --sql DIR."
        )
    folder = root / dialect
    if folder.is_dir():
        for stray in sorted(root.glob("*.sql")):
            from runner.sources.refusal import refusal

            raise refusal(
                stray,
                "UNEXPECTED_FILE",
                f"beside the folder {dialect}/, where nobody looks for it",
                "Move it into the folder of its dialect, or out of the project.",
            )
        return folder
    if any((root / other).is_dir() for other in ("sqlite", "postgres")):
        raise UsageError(
            f"{root} has no folder '{dialect}', and the database is of that dialect",
            code="NO_SUCH_FOLDER",
            hint=f"Put the {dialect} migrations into {folder}.",
        )
    return root
