"""More connections to one SQLite file, all of which see the very commit that the first one sees."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from verify.catalog_sqlite import file_bytes

if TYPE_CHECKING:
    from verify.reader_sqlite import SqliteReader

# Below this a check is over before a thread has begun.
WORTH_BYTES = 32 * 1024 * 1024
# Of each connection while it shares the work: sorted lists are merged quickest in what stays near the processor.
CACHE_KIB = 4 * 1024

_OPENING_SECONDS = 1.0
_TRIES = 20
_PAUSE_SECONDS = 0.01

# What a check may see of a connection's own settings; the others are opened alike.
_SETTINGS = ("trusted_schema", "cell_size_check", "reverse_unordered_selects", "automatic_index")
# Of a file that was put in the first one's place these would differ.
_IDENTITY = ("schema_version", "page_count", "freelist_count", "page_size", "user_version")


@contextmanager
def one_snapshot(first: SqliteReader, wanted: int) -> Iterator[list[SqliteReader]]:
    """Begin a transaction on ``first``, and up to ``wanted`` more readers whose transactions see the same commit.

    None, where the file is small, the database is not a file alone (in memory, with attached or temporary tables, which
    other connections do not see), or cannot be opened again; and where somebody commits without a pause.
    """
    with ExitStack() as opened:
        others = _open(first, wanted, opened) if wanted > 0 else []
        if not (others and _begin_together(first, others)):
            others = []
            first.query("BEGIN")
        if others:
            ((size,),) = first.query("PRAGMA main.cache_size")
            opened.callback(first.query, f"PRAGMA main.cache_size = {int(size)}")
            first.query(f"PRAGMA main.cache_size = -{CACHE_KIB}")
        yield others


def _open(first: SqliteReader, wanted: int, opened: ExitStack) -> list[SqliteReader]:
    from verify.reader_sqlite import SqliteReader

    others: list[SqliteReader] = []
    try:
        databases = first.query("PRAGMA database_list")
        path = databases[0][2]
        if len(databases) != 1 or not path or sqlite3.threadsafety == 0 or file_bytes(first) < WORTH_BYTES:
            return []
        settings = [(name, *row) for name in _SETTINGS for row in first.query(f"PRAGMA {name}")]
        for _ in range(wanted):
            connection = opened.enter_context(
                closing(
                    sqlite3.connect(
                        f"file:{quote(path)}?mode=ro",
                        uri=True,
                        isolation_level=None,
                        timeout=_OPENING_SECONDS,
                        check_same_thread=False,
                    )
                )
            )
            other = SqliteReader(connection)
            other.read_leniently()
            for name, value in settings:
                other.query(f"PRAGMA {name} = {int(value)}")
            other.query(f"PRAGMA cache_size = -{CACHE_KIB}")
            other.query("PRAGMA query_only = 1")
            # From now on a writer that waits for the first one to end would be waited for in vain.
            other.query("PRAGMA busy_timeout = 0")
            others.append(other)
    except sqlite3.Error:
        return []
    return others


def _begin_together(first: SqliteReader, others: list[SqliteReader]) -> bool:
    """Begin until nobody commits between the first transaction and the last one. False if that does not come about.

    One of the others watches: ``data_version`` is a number that changes, for it, whenever another connection commits.
    It looks before any transaction begins and again inside its own, the last to begin. The same number means that no
    commit lies between the two looks, so that all transactions begun in between, and its own, stand on one commit.
    """
    watcher, *rest = others
    everybody = [first, *others]
    for _ in range(_TRIES):
        try:
            before = watcher.query("PRAGMA main.data_version")
            for reader in (first, *rest):
                reader.query("BEGIN")
                reader.query("PRAGMA main.schema_version")  # the first read opens the snapshot
            watcher.query("BEGIN")
            if watcher.query("PRAGMA main.data_version") == before:
                return len({_identity(reader) for reader in everybody}) == 1 or _end(everybody)
        except sqlite3.Error:  # locked by a writer, mostly; what is really wrong shows when the first one goes on alone
            pass
        _end(everybody)
        time.sleep(_PAUSE_SECONDS)
    return False


def _identity(reader: SqliteReader) -> str:
    return str([reader.query(f"PRAGMA main.{name}") for name in _IDENTITY])


def _end(readers: list[SqliteReader]) -> bool:
    for reader in readers:
        with suppress(sqlite3.Error):  # none was begun
            reader.query("ROLLBACK")
    return False
