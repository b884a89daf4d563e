"""How a folder of migrations is refused: one error, with the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runner.errors import FolderError

#: What is done with a problem. A run stops at the first one; a review collects them, and so it may return.
Refuse = Callable[[FolderError], None]


def refusal(path: Path, code: str, message: str, hint: str, line: int | None = None) -> FolderError:
    return FolderError(message, code=code, hint=hint, file=path, line=line)


def stop(problem: FolderError) -> None:
    """The first problem is the end."""
    raise problem
