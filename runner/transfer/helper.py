"""A process that looks at the source while this one sends it: Python hashes in one thread at a time.

It has a connection of its own, in the very snapshot of this process. It ends with the process that it works for,
however that ends: its input is closed then, and a thread of its own waits for just that. If it is lost, this process
looks itself.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from runner.dialects import connect
from runner.domain.url import DatabaseUrl
from runner.errors import MisfitFound
from runner.transfer.findings import Findings, Lost
from runner.transfer.looking import Seen, look
from runner.transfer.model import Progress
from runner.transfer.source import Plan, Source, begin_snapshot, prepare, size

_NICE = 10  # the copy goes first; there is time while the server builds its keys
WORTH_BYTES = 16_000_000  # a smaller source is read before a process has started
STAGE = "looking at every value"
_PROGRAM = """
from verify.sqlite_library import count_no_memory
count_no_memory()
from runner.transfer.helper import main
main()
"""


class Helper:
    """The process, and the two pipes to it. Nothing of it fails: it is there, or ``is_there`` says that it is not."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.is_there = True
        self.rows = 0  # that it has looked at
        self._answer: Any = None
        self._thread: threading.Thread | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            process_group=0,  # a Ctrl-C is for the one that it works for
        )
        self._send(url)

    def begin(self) -> bool:
        """Let it begin a snapshot, or a newer one. Has it?"""
        self._send(None)
        return self._receive() is True

    def look(self, plans: Sequence[Plan]) -> None:
        """Let it look; ``is_over`` when it has."""
        self._send(list(plans))
        self._thread = threading.Thread(target=self._listen, name="maxwell-db helper", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while isinstance(answer := self._receive(), int):
            self.rows += answer
        self._answer = answer

    def is_over(self) -> bool:
        """Wait a little; has it looked at all, or is it gone?"""
        assert self._thread is not None
        self._thread.join(0.05)
        return not self._thread.is_alive()

    @property
    def misfit(self) -> bool:
        """Has it found what does not fit?"""
        return self._answer is False

    @property
    def seen(self) -> Seen | None:
        """What it has seen; None if it was lost, or found what does not fit."""
        return self._answer if isinstance(self._answer, Seen) else None

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(message, self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
        except (OSError, ValueError):
            self.is_there = False

    def _receive(self) -> Any:
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            self.is_there = False
            return None

    def end(self) -> None:
        """Whatever it is at."""
        self._process.kill()
        self._process.wait()
        if self._thread is not None:
            self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


class Looking:
    """The look at every value: by this process, at once; or by the helper, when there is time for it."""

    def __init__(
        self,
        source: Source,
        plans: Sequence[Plan],
        findings: Findings,
        helper: Helper | None,
        progress: Progress,
        total: int,
    ) -> None:
        self._own = partial(look, source, plans, findings, progress)
        self._helper = helper
        self._progress = progress
        self._total = total
        self._seen: Seen | None = None
        self._plans = plans
        if helper is None:
            self._seen = self._look()

    def copied(self) -> None:
        """Let the helper look from now on, while the server builds its keys with one core alone."""
        if self._helper is not None:
            self._helper.look(self._plans)

    def check(self) -> None:
        """MisfitFound, if something was found by now that does not fit."""
        if self._helper is not None and self._helper.misfit:
            raise MisfitFound("the data do not fit the target", code="DATA_MISFIT", hint="Correct the source.")

    def wait(self) -> Seen:
        """All that was seen, when it is. MisfitFound."""
        if self._seen is not None:
            return self._seen
        helper = self._helper
        assert helper is not None
        self._progress.stage(STAGE, self._total)
        told = 0
        while not helper.is_over():
            self._progress.advance(helper.rows - told)
            told = helper.rows
        self.check()
        return helper.seen or self._look()

    def _look(self) -> Seen:
        self._progress.stage(STAGE, self._total)
        return self._own()


@contextmanager
def helping(connection: Any, url: DatabaseUrl, *, wanted: bool) -> Iterator[Helper | None]:
    """A helper for the source of ``connection``; None where it is not worth it, or cannot be had."""
    helper = None
    if wanted and _cores() > 1 and size(connection) >= WORTH_BYTES:
        with suppress(OSError):
            helper = Helper(url)
    try:
        yield helper
    finally:
        if helper is not None:
            helper.end()


def main() -> None:
    """What it runs: by standard input come the source's URL, then what is to be done; answers go to standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else is an answer

    def answer(message: Any) -> None:
        pickle.dump(message, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()

    class Telling(Progress):
        def advance(self, rows: int) -> None:
            answer(rows)

    with suppress(OSError):
        os.nice(_NICE)
    connection = connect(pickle.load(sys.stdin.buffer), read_only=True)
    prepare(connection)
    while (plans := pickle.load(sys.stdin.buffer)) is None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        begin_snapshot(connection)
        answer(True)
    threading.Thread(target=_end_with_the_other, daemon=True).start()
    try:
        answer(look(Source(connection), plans, Findings(0, Lost(None)), Telling()))
    except MisfitFound:
        answer(False)


def _end_with_the_other() -> None:
    """When the other side is gone, be gone at once, in the middle of whatever it is."""
    sys.stdin.buffer.read()
    os._exit(0)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
