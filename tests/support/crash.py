"""Kill a run at one of its points: a child process that dies by SIGKILL after its k-th step towards the database.

A step is a call of the driver that reaches the database (execute, executescript, commit, rollback, COPY, a part of
a backup, on whatever connection), one towards a file of ours (made, written, synced, named, removed), or the start of a
program.
Before a step all is as it was after the one before it, so that one point for each step, and one before the first, are
all the points there are.
"""

from __future__ import annotations

import fcntl
import functools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions

from runner.cli import main
from tests.support.tool import clean_environment

KILLED = -signal.SIGKILL


def run_and_kill(arguments: list[str], kill_at: int, log: Path, *, skip_reads: bool = False) -> int:
    """Run the command line in a child that is killed at its ``kill_at``-th point; KILLED, or its exit code.

    ``skip_reads``: what only reads is no point; the database is as it was before it. What was said goes to ``log``.
    """
    child = os.fork()
    if child == 0:
        try:
            _silence(log)
            os.environ.clear()
            os.environ.update(clean_environment(None))
            os.chdir(log.parent)
            _watch(_Ticks(kill_at, skip_reads))
            os._exit(main(arguments))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class _Ticks:
    """Counts the points, and dies at one of them."""

    def __init__(self, kill_at: int, skip_reads: bool) -> None:
        self._left = kill_at
        self._skip_reads = skip_reads
        self.tick()  # before the first step

    def tick(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, sql: Any) -> None:
        if not (self._skip_reads and _only_reads(str(sql))):
            self.tick()


def _only_reads(sql: str) -> bool:
    words = sql.split(None, 1)
    if "journal_mode =" in sql:
        return False
    return bool(words) and words[0].upper() in ("SELECT", "SHOW", "EXPLAIN", "WITH", "RESET", "SET", "PRAGMA")


def _silence(log: Path) -> None:
    """The child's words are not the test's."""
    file = log.open("w")
    sys.stdout = sys.stderr = file
    os.close(0)


def _watch(ticks: _Ticks) -> None:
    """Let the drivers of this process, and its lock file, tell of their steps."""

    def ticking(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            try:
                return function(*arguments, **options)
            finally:
                ticks.tick()

        return call

    class SqliteCursor(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> Any:
            try:
                return super().execute(sql, *parameters)
            finally:
                ticks.after(sql)

    class SqliteConnection(sqlite3.Connection):
        def cursor(self, factory: Any = SqliteCursor) -> Any:
            return super().cursor(factory)

        def execute(self, sql: str, *parameters: Any) -> Any:
            return self.cursor().execute(sql, *parameters)

        executescript = ticking(sqlite3.Connection.executescript)

        def backup(self, target: sqlite3.Connection, *, progress: Any = None, **options: Any) -> None:
            def step(*numbers: int) -> None:
                ticks.tick()
                if progress is not None:
                    progress(*numbers)

            try:
                super().backup(target, progress=step, **options)
            finally:
                ticks.tick()

        commit = ticking(sqlite3.Connection.commit)
        rollback = ticking(sqlite3.Connection.rollback)

    class PostgresCursor(extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            try:
                super().execute(query, vars)
            finally:
                ticks.after(query)

        copy_expert = ticking(extensions.cursor.copy_expert)

    class PostgresConnection(extensions.connection):
        commit = ticking(extensions.connection.commit)
        rollback = ticking(extensions.connection.rollback)

    sqlite3.connect = functools.partial(sqlite3.connect, factory=SqliteConnection)  # type: ignore[assignment]
    connect = functools.partial(psycopg2.connect, connection_factory=PostgresConnection, cursor_factory=PostgresCursor)
    psycopg2.connect = ticking(connect)
    fcntl.flock = ticking(fcntl.flock)
    for name in ("pwrite", "write", "fsync", "link", "unlink", "truncate", "mkdir"):
        setattr(os, name, ticking(getattr(os, name)))
    Path.unlink = ticking(Path.unlink)  # type: ignore[method-assign]
    Path.rename = ticking(Path.rename)  # type: ignore[method-assign]
    Path.mkdir = ticking(Path.mkdir)  # type: ignore[method-assign]
    subprocess.Popen.__init__ = ticking(subprocess.Popen.__init__)  # type: ignore[method-assign]
    opens = os.open

    def opening(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        try:
            return opens(path, flags, *arguments, **options)
        finally:
            if flags & os.O_CREAT:
                ticks.tick()

    os.open = opening
