"""Stop at once when told to: what is running is cancelled in the database, rolled back, and gone within a second.

A statement holds the thread that sent it, and Python runs signal handlers in the main thread alone, between two of its
own instructions. So the work is done in a second thread, while the main one waits for it and for signals.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from runner.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RETRY_SECONDS = 0.05  # a cancel that arrives between two statements meets nothing, and is sent again
_TIMES = 50  # SQLite is told at once: of short statements ten or twenty are enough to meet one

Answer = TypeVar("Answer")

_connections: list[Any] = []
_requested: list[int] = []  # the numbers of the signals that came


@contextlib.contextmanager
def watched(connection: Any) -> Iterator[None]:
    """Within it, what ``connection`` runs is cancelled when a signal comes."""
    _connections.append(connection)
    try:
        yield
    finally:
        _connections.remove(connection)


def check() -> None:
    """Between two steps: Interrupted if a signal has come."""
    if _requested:
        raise Interrupted(_requested[0])


def requested() -> bool:
    """Has a signal come? What failed since may have failed of being cancelled."""
    return bool(_requested)


def interruptible(work: Callable[[], Answer]) -> Answer:
    """Do ``work``; on SIGINT, SIGTERM or SIGHUP cancel it. Interrupted, unless it was through by then.

    Outside the main thread, where no signal arrives, it is just done.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    _requested.clear()
    answers: list[Answer] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            failures.append(error)

    def remember(number: int, frame: object) -> None:
        _requested.append(number)

    before = {number: signal.signal(number, remember) for number in SIGNALS}
    worker = threading.Thread(target=run, name="maxwell-db", daemon=True)
    try:
        worker.start()
        while worker.is_alive():
            worker.join(RETRY_SECONDS)
            if _requested:
                _cancel()
        if answers:
            return answers[0]
        if _requested:
            interrupted = Interrupted(_requested[0])
            interrupted.outcomes = getattr(failures[0], "outcomes", ())
            interrupted.deploy = getattr(failures[0], "deploy", None)
            raise interrupted from failures[0]
        raise failures[0]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _requested.clear()


def _cancel() -> None:
    for connection in list(_connections):
        with contextlib.suppress(Exception):  # closed, or nothing is running
            if hasattr(connection, "cancel"):
                connection.cancel()
                continue
            # Python hands us the turn between two statements of a script, where SQLite has nothing to interrupt, and
            # forgets that it was told. To give the turn back and take it again meets a statement sooner or later.
            for _ in range(_TIMES):
                time.sleep(0)
                connection.interrupt()
