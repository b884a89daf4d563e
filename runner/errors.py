"""Every way in which a command can fail: what happened, where, and what to do next.

The ``code`` of an error is stable; scripts may rely on it. The exit codes are those of the manual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from runner.catalog import Difference
    from runner.domain.deploy import DeployReport
    from runner.domain.outcome import Outcome
    from verify.model import VerifyReport

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_PENDING = 3
EXIT_VIOLATIONS = 4
EXIT_LOCKED = 5
EXIT_HISTORY = 6
EXIT_BACKUP = 7
EXIT_UNFINISHED = 8
EXIT_MISFIT = 9
EXIT_INTERRUPTED = 130


class MaxwellError(Exception):
    """A failure that a user can understand. ``outcomes`` is what this run had already committed."""

    exit_code = EXIT_FAILED

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str | None = None,
        file: Path | None = None,
        line: int | None = None,
        statement: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.file = file
        self.line = line
        self.statement = statement
        self.outcomes: tuple[Outcome, ...] = ()
        self.deploy: DeployReport | None = None  # what a deploy did before it failed, and about it
        self.note: str | None = None  # what was done about it, and with which end

    @property
    def place(self) -> str:
        """``FILE:LINE: ``, as far as it is known; else nothing."""
        if self.file is None:
            return ""
        return f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: "

    def as_dict(self) -> dict[str, object]:
        """The ``error`` object of the JSON contract."""
        return {
            "code": self.code,
            "message": f"{self.message}\n{self.note}" if self.note else self.message,
            "hint": self.hint,
            "file": None if self.file is None else str(self.file),
            "line": self.line,
            "statement": self.statement,
        }


class UsageError(MaxwellError):
    """The command line, an environment variable or the configuration file asks for what cannot be."""

    exit_code = EXIT_USAGE


class FolderError(MaxwellError):
    """The folder of migrations is refused as a whole, before anything runs."""

    exit_code = EXIT_USAGE


class ConnectionFailed(MaxwellError):
    """The database cannot be opened."""


class MigrationFailed(MaxwellError):
    """A statement of a migration failed. Its transaction is rolled back; the migrations before it stay."""

    #: PostgreSQL's SQLSTATE; None where there is none.
    sqlstate: str | None = None

    @property
    def refused_outright(self) -> bool:
        """Was the statement refused by the parser, or for want of a name or a right, before it did anything?"""
        return bool(self.sqlstate and self.sqlstate.startswith("42"))


class HistoryError(MaxwellError):
    """The files are not those that made the database: changed, missing or out of order."""

    exit_code = EXIT_HISTORY


SETTLE_HINT = "It ran outside a transaction, so part of it may be there. 'maxwell-db repair' looks, and settles it."


class SchemaError(HistoryError):
    """A database does not have the schema that marks set by hand would claim; nothing was changed."""

    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()  # how far to rely on the comparison
    closing: tuple[str, ...] = ()  # SQL that closes differences
    left: tuple[Difference, ...] = ()  # those that no simple statement closes


class UnfinishedError(MaxwellError):
    """A migration that runs outside a transaction died half way; a human has to look."""

    exit_code = EXIT_UNFINISHED


class LockTimeout(MaxwellError):
    """Another run holds the database, and did so until the wait was over."""

    exit_code = EXIT_LOCKED


class ViolationsFound(MaxwellError):
    """A migration broke the data: it is not committed (gate), or it is and the message names the way back."""

    exit_code = EXIT_VIOLATIONS
    report: VerifyReport | None = None  # all that the checks found, where they ran


class BackupFailed(MaxwellError):
    """There is no backup, or it cannot be restored; the database is as it was."""

    exit_code = EXIT_BACKUP


class RehearsalFailed(MaxwellError):
    """A step of a rehearsal failed, or the dialects differ. Nothing but scratch databases was touched."""


class MisfitFound(MaxwellError):
    """The data do not fit the target: nothing of them was written."""

    exit_code = EXIT_MISFIT


class TransferFailed(MaxwellError):
    """The copy did not come through, or what arrived is not what was sent; the target is as it was."""


class DifferenceFound(MaxwellError):
    """Source and target differ; the message says where."""

    exit_code = EXIT_VIOLATIONS


class Interrupted(MaxwellError):
    """A signal came. What was running is rolled back; what was committed before it stays."""

    def __init__(self, number: int) -> None:
        super().__init__(
            "interrupted; what was running is rolled back",
            code="INTERRUPTED",
            hint="Run the command again: it goes on from here.",
        )
        self.exit_code = 128 + number
