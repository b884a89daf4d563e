"""Where the migrations of one dialect lie, and what their files are called."""

from __future__ import annotations

import os
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
    from pathlib import Path

    return Path(dialect_folder_name(str(root), dialect))


def dialect_folder_name(root: str, dialect: Dialect) -> str:
    """The same by its name, for who needs a Path for nothing else."""
    if not os.path.isdir(root):
        raise UsageError(
            f"no such folder: {root}", code="NO_SUCH_FOLDER", hint="Name your migrations' folder with --sql DIR."
        )
    folder = os.path.join(root, dialect)
    if os.path.isdir(folder):
        for stray in sorted(name for name in os.listdir(root) if name.endswith(APPLY)):
            from pathlib import Path

            from runner.sources.refusal import refusal

            raise refusal(
                Path(root, stray),
                "UNEXPECTED_FILE",
                f"beside the folder {dialect}/, where nobody looks for it",
                "Move it into the folder of its dialect, or out of the project.",
            )
        return folder
    if any(os.path.isdir(os.path.join(root, other)) for other in ("sqlite", "postgres")):
        raise UsageError(
            f"{root} has no folder '{dialect}', and the database is of that dialect",
            code="NO_SUCH_FOLDER",
            hint=f"Put the {dialect} migrations into {folder}.",
        )
    return root
