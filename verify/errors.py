"""The one error of this package: what happened, where, and what to do next."""

from __future__ import annotations

from pathlib import Path


class VerifyError(Exception):
    """The checks could not be run. Built from plain strings, so that it can be shown as it is; never holds a password.

    ``code`` is a stable UPPER_CASE word for programs; ``exit_code`` is 2 for what the user gave (a URL, a check
    file, a name) and 1 for what the database answered.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str | None = None,
        file: Path | None = None,
        line: int | None = None,
        statement: str | None = None,
        exit_code: int = 2,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.file = file
        self.line = line
        self.statement = statement
        self.exit_code = exit_code

    def __str__(self) -> str:
        if self.file is None:
            return self.message
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return f"{place}: {self.message}"

    def as_dict(self) -> dict[str, object]:
        """The ``error`` object of the JSON answer."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "file": None if self.file is None else str(self.file),
            "line": self.line,
            "statement": self.statement,
        }
