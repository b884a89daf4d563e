"""The locks of a statement that runs outside a transaction, which are gone when it is over: read while it waits.

Such a statement (CREATE INDEX CONCURRENTLY ...) waits for older transactions. One is kept open beside it until its
locks have been seen, or for as long as HOLD_SECONDS.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any

from runner.dialects import connect
from runner.domain.quoting import quote_name
from runner.domain.url import DatabaseUrl
from runner.rehearsal.model import Lock
from runner.rehearsal.statements import LOCKS, MODES, ORDINARY, STRENGTH

HOLD_SECONDS = 1.0
_PAUSE_SECONDS = 0.005

_TABLES = """
SELECT c.oid, c.relname::text FROM pg_catalog.pg_class AS c
WHERE c.relkind IN ('r', 'm', 'p') AND c.relnamespace = (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = current_schema())
"""


class LockSampler:
    """Within it, the locks that another session takes on the tables that are there."""

    def __init__(self, url: DatabaseUrl, session: int) -> None:
        self._url = url
        self._session = session
        self._stack = ExitStack()
        self._over = threading.Event()
        self._strongest: dict[str, str] = {}

    @property
    def locks(self) -> tuple[Lock, ...]:
        """The strongest lock on each table, as far as it was seen."""
        found = sorted(self._strongest.items(), key=lambda item: (-STRENGTH[item[1]], item[0]))
        return tuple(Lock(table, *MODES[mode]) for table, mode in found)

    def __enter__(self) -> LockSampler:
        looker, holder = (self._stack.enter_context(closing(connect(self._url, what="look"))) for _ in range(2))
        with closing(looker.cursor()) as cursor:
            cursor.execute(_TABLES)
            tables: dict[int, str] = dict(cursor.fetchall())
        with closing(holder.cursor()) as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            for name in tables.values():
                cursor.execute(f"SELECT 1 FROM {quote_name(name)} LIMIT 1")
        thread = threading.Thread(target=self._look, args=(looker, holder, tables), daemon=True)
        self._stack.callback(thread.join)
        self._stack.callback(self._over.set)
        thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _look(self, looker: Any, holder: Any, tables: dict[int, str]) -> None:
        """Until it is over, or something was seen, or it takes too long; then let the statement go on."""
        deadline = time.monotonic() + HOLD_SECONDS
        try:
            with closing(looker.cursor()) as cursor:
                while not self._over.is_set() and time.monotonic() < deadline:
                    cursor.execute(LOCKS.replace("pg_backend_pid()", "%s"), (self._session,))
                    for oid, mode in cursor.fetchall():
                        name = tables.get(oid)
                        if name and STRENGTH[mode] >= STRENGTH.get(self._strongest.get(name, ""), -1):
                            self._strongest[name] = mode
                    if any(MODES[mode][0] not in ORDINARY for mode in self._strongest.values()):
                        return
                    time.sleep(_PAUSE_SECONDS)
        except looker.Error:
            return  # what was not seen is not told
        finally:
            holder.close()
