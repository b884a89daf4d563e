"""How a folder of migrations is refused: one error, with the file."""

from __future__ import annotations

from pathlib import Path

from runner.errors import FolderError


def refusal(path: Path, code: str, message: str, hint: str, line: int | None = None) -> FolderError:
    return FolderError(message, code=code, hint=hint, file=path, line=line)
