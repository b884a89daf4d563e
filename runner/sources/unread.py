"""Which files are those that were applied, so that nobody has to read them again.

``status`` is run in loops, and a project grows old: a look at size and times of a thousand files takes a twentieth of
the time that it takes to read them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import UsageError
from runner.sources.file_stat import stat_word
from runner.sources.place import APPLY, ROLLBACK, is_hidden

if TYPE_CHECKING:
    from pathlib import Path

    from runner.domain.state import LedgerRow


_KIND_AND_OTHERS = stat.S_IFMT(0o777777) | stat.S_IWOTH


class Unread(NamedTuple):
    """What the order of the folder's files needs to know of one that is not read."""

    id: str
    version: str | None
    revision: str | None
    path: Path
    depends: tuple[str, ...] = ()  # they were there when it was applied, and are older

    @classmethod
    def of(cls, row: LedgerRow, folder: Path) -> Unread:
        return cls(row.id, row.version, row.revision, folder / f"{row.id}{APPLY}")


def unread_files(folder: str, rows: Mapping[str, LedgerRow], *, read: bool) -> tuple[set[str], bool]:
    """The ids in ``rows`` whose two files are the very ones that were applied; and is there anything else?

    A file is, if its size, times and place are those that it had when it was read to be applied; or else if its
    SHA-256 is. With ``read`` only the SHA-256 counts. UsageError if the folder cannot be read.
    """
    try:
        names = {name for name in os.listdir(folder) if not is_hidden(name)}
        place = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UsageError(
            f"cannot read the folder {folder}: {error.strerror}", code="NO_SUCH_FOLDER", hint="Check its permissions."
        ) from error
    same: set[str] = set()
    files = 0
    try:
        for id, row in rows.items():
            apply, rollback = id + APPLY, id + ROLLBACK
            if apply not in names or (rollback in names) != (row.rollback_sha256 is not None):
                continue
            if not _is_same(place, apply, row.apply_stat, row.apply_sha256, read):
                continue
            if row.rollback_sha256 is None:
                files += 1
            elif _is_same(place, rollback, row.rollback_stat, row.rollback_sha256, read):
                files += 2
            else:
                continue
            same.add(id)
    finally:
        os.close(place)
    return same, files < len(names)


def _is_same(place: int, name: str, known: str | None, sha256: str, read: bool) -> bool:
    try:
        found = os.stat(name, dir_fd=place, follow_symlinks=False)  # by its folder: nothing is looked up twice
        # Of what is neither a file nor ours alone, whoever reads it says why not.
        if found.st_mode & _KIND_AND_OTHERS != stat.S_IFREG:
            return False
        if known is not None and not read and stat_word(found) == known:
            return True
        from hashlib import sha256 as digest

        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=place), "rb") as file:
            return digest(file.read()).hexdigest() == sha256
    except OSError:
        return False
