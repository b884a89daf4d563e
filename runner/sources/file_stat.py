"""Is a file still the one that was read? Told without reading it again, as git tells it."""

from __future__ import annotations

import os

#: File systems keep times in steps of up to two seconds: what was changed later than that may change once more unseen.
SETTLED_SECONDS = 2.0


def stat_word(found: os.stat_result) -> str:
    """Size, times of change and place of a file, as one word.

    A new content gives the file a new time of change (ctime), which no program can set.
    """
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}-{found.st_ino}"


def settled_stat(found: os.stat_result, now: float) -> str | None:
    """The same; None of a file that was changed just before ``now``, and could be once more in the same tick."""
    return stat_word(found) if max(found.st_mtime, found.st_ctime) < now - SETTLED_SECONDS else None
