"""Read ahead in a thread: SQLite works in C, without Python's lock, while this side hashes or sends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")

DEPTH = 4  # items that wait, a megabyte or so each


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, produced by another thread. Left early, the thread ends first."""
    waiting: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(DEPTH)
    over = threading.Event()

    def put(entry: tuple[bool, Item | BaseException | None]) -> None:
        while not over.is_set():
            with suppress(queue.Full):
                waiting.put(entry, timeout=0.1)
                return

    def produce() -> None:
        try:
            for item in items:
                if over.is_set():
                    return
                put((True, item))
            put((False, None))
        except BaseException as error:
            put((False, error))

    thread = threading.Thread(target=produce, name="maxwell-db reader", daemon=True)
    thread.start()
    try:
        while True:
            more, item = waiting.get()
            if not more:
                if item is not None:
                    raise item  # type: ignore[misc]
                return
            yield item  # type: ignore[misc]
    finally:
        over.set()
        thread.join()
