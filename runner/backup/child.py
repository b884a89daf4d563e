"""Run a client program of PostgreSQL: its end is waited for, its words are kept, and a signal to us ends it too."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from tempfile import TemporaryFile

from runner import interruption
from runner.errors import BackupFailed

_POLL_SECONDS = 0.1
_BLOCK = 1 << 18


class Child:
    """A running program; ``interrupt`` is what a signal does to it."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], stdin: int, stdout: int) -> None:
        self._words = TemporaryFile()  # noqa: SIM115  # closed by end()
        self.process = subprocess.Popen(
            arguments,
            env=dict(environment),
            stdin=stdin,
            stdout=stdout,
            stderr=self._words,
            start_new_session=True,  # Ctrl-C is ours to pass on, when we know of it
        )
        self.name = arguments[0]

    def interrupt(self) -> None:
        self.process.terminate()

    def end(self) -> None:
        """It failed, or is no longer wanted."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close_input()
        self._words.close()

    def feed(self, descriptor: int, offset: int) -> int:
        """Hand on what a growing file has beyond ``offset``; how far that was. BackupFailed if it has ended."""
        assert self.process.stdin is not None
        try:
            while block := os.pread(descriptor, _BLOCK, offset):
                interruption.check()
                self.process.stdin.write(block)
                offset += len(block)
        except BrokenPipeError:
            self.wait()
        return offset

    def close_input(self) -> None:
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def wait(self, tick: Callable[[], None] = lambda: None) -> None:
        """Wait for its end, with a ``tick`` now and then. BackupFailed with its own words."""
        while True:
            interruption.check()
            try:
                code = self.process.wait(_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                tick()
        interruption.check()
        if code != 0:
            self._words.seek(0)
            words = self._words.read().decode(errors="replace").strip() or f"it ended with exit code {code}"
            raise BackupFailed(
                f"{self.name}: {words}", code="PG_PROGRAM_FAILED", hint="The database is as it was. See what it says."
            )


@contextlib.contextmanager
def running(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> Iterator[Child]:
    """A program that runs no longer than the context."""
    child = Child(arguments, environment, stdin, stdout)
    try:
        with interruption.watched(child):
            yield child
    finally:
        child.end()


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a program to its end. BackupFailed if that is a bad one."""
    with running(arguments, environment) as child:
        child.wait()
