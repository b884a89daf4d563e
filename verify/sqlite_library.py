"""The SQLite library under Python's module, before that module starts it."""

from __future__ import annotations

import sys

_CONFIG_MEMSTATUS = 9  # sqlite3.h


def count_no_memory() -> None:
    """Let SQLite not count the memory that it takes, for this process: nobody asks, and it takes a fifth of the time.

    Every piece of memory is counted under one lock for all threads; SQLite's own advice is to do without
    (https://sqlite.org/compile.html, SQLITE_DEFAULT_MEMSTATUS). What hangs on the count is a limit that a program may
    set for it. Only before sqlite3 is first imported; where the library cannot be reached, nothing happens.
    """
    if "_sqlite3" in sys.modules:
        return
    try:
        from ctypes import CDLL, c_int
        from importlib.machinery import PathFinder

        module = PathFinder.find_spec("_sqlite3")
        if module is not None and module.origin is not None:
            config = CDLL(module.origin).sqlite3_config
            config.argtypes = [c_int]  # the others vary, which some processors' calls tell apart
            config(_CONFIG_MEMSTATUS, 0)
    except (ImportError, OSError, AttributeError):  # built without ctypes, or with a SQLite of its own inside
        return
