"""A migration: one change in one dialect, and the way back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

Dialect = Literal["sqlite", "postgres"]

VERSION = re.compile(r"\d+(?:\.\d+){1,3}")


@dataclass(frozen=True)
class Script:
    """The text of one file, byte for byte as it lies on disk (UTF-8)."""

    path: Path
    text: str
    stat: str | None = None  # size, times and place of the file that was read, as ``file_stat`` gives them
    digest: str = ""  # the SHA-256 of its bytes, if whoever read them has told
    suspect: bool = True  # could it have a statement that a migration may not have? As ``sources.guard`` looks for it

    @cached_property
    def sha256(self) -> str:
        from hashlib import sha256

        return self.digest or sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Migration:
    """NAME.sql and the NAME.rollback.sql beside it."""

    id: str
    dialect: Dialect
    apply: Script
    rollback: Script | None  # None: declared irreversible
    depends: tuple[str, ...] = ()
    transactional: bool = True
    version: str | None = None
    revision: str | None = None
    irreversible: str | None = None  # the reason
    expect_row_loss: frozenset[str] = frozenset()
    dialects: frozenset[str] = frozenset()  # the only ones that have it, on purpose; empty: all

    @property
    def reversible(self) -> bool:
        return self.rollback is not None

    @property
    def path(self) -> Path:
        return self.apply.path


def version_key(version: str) -> tuple[int, ...]:
    """Order for schema versions: 1.9.0 before 1.10.0, and 1.2 is 1.2.0."""
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))
