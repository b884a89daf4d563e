"""Databases that are copies of a template, for tests: the next one is made, and the last one dropped, meanwhile."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK
from psycopg2.extras import wait_select
from psycopg2.sql import SQL, Composed, Identifier

from runner.dialects.postgres import connect, connection_arguments
from runner.dialects.postgres_scratch import beside, create, drop_abandoned, hold, own_prefix, run
from runner.domain.url import DatabaseUrl
from runner.errors import ConnectionFailed

STRATEGIES_SINCE = 150000
_KEPT, _KEPT_AT_MOST = 2, 16  # copies that are not in use any more


def no_durability(server: DatabaseUrl) -> None:
    """Let a server that is thrown away with its data not wait for the disk, nor keep much of a log."""
    settings = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_wal_size = '96MB'")
    with closing(connect(server, read_only=False, what="tests")) as connection:
        for setting in settings:
            run(connection, SQL("ALTER SYSTEM SET ") + SQL(setting))
        run(connection, SQL("SELECT pg_reload_conf()").format())


def drop_templates(server: DatabaseUrl, names: Iterable[str]) -> None:
    """Drop templates which nobody uses any more."""
    with closing(connect(server, read_only=False, what="tests")) as connection:
        for name in names:
            if hold(connection, name):
                run(connection, SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)))


class Copies:
    """One process's copies on a server. Its session's lock on a name tells other runs that the database is in use.

    ConnectionFailed where the server cannot be reached, or the role may not create databases.
    """

    def __init__(self, server: DatabaseUrl) -> None:
        self._server = server
        self._keeper = connect(server, read_only=False, what="tests")
        self._prefix = own_prefix(self._keeper)
        drop_abandoned(self._keeper, self._prefix)
        self._strategy = self._fastest_strategy()
        self._maker, self._dropper = _Background(server), _Background(server)
        self._used: set[str] = set()  # templates of which a copy was asked for before
        self._prepared: dict[str, str] = {}  # by template, the name of the copy that is made already, or is being made
        self._old: deque[str] = deque()  # copies to drop, of which the first may be being dropped

    def make_template(self, fill: Callable[[DatabaseUrl], None]) -> str:
        """Make a database, fill it, and let nobody in any more: PostgreSQL copies none that is in use."""
        name = self._new_name(shared=True)
        create(self._server, name, None)
        try:
            fill(beside(self._server, name))
            run(self._keeper, SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name)))
        except BaseException:
            run(self._keeper, SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
            raise
        return name

    def adopt(self, template: str) -> bool:
        """Use a template that another process has made; False if it is gone."""
        self._lock(template, shared=True)
        with closing(self._keeper.cursor()) as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", (template,))
            return cursor.fetchone() is not None

    def copy(self, template: str) -> DatabaseUrl:
        """A new copy; once a second one is asked for, the next is made ahead."""
        if template not in self._prepared:
            self._prepare(template)
        self._maker.finish()
        name = self._prepared.pop(template)
        if template in self._used:
            self._prepare(template)
        self._used.add(template)
        return beside(self._server, name)

    def drop(self, copy: DatabaseUrl) -> None:
        """Drop a copy with all its sessions: some time while others are in use, at the latest by ``close``."""
        self._old.append(copy.name)
        # One that was left just now may have a session on its way out, for which PostgreSQL waits a tenth of a second.
        self._drop_old(down_to=_KEPT, wait=False)
        self._drop_old(down_to=_KEPT_AT_MOST, wait=True)

    def close(self, *, drop: bool = True) -> None:
        """End the sessions; first, unless the server goes with its data, drop what is left."""
        try:
            self._maker.finish()
            self._old.extend(self._prepared.values())
            if drop:
                self._drop_old(down_to=0, wait=True)
        finally:
            for connection in (self._maker, self._dropper, self._keeper):
                connection.close()

    def _prepare(self, template: str) -> None:
        self._maker.finish()
        name = self._new_name(shared=False)
        statement = SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template))
        self._maker.start(statement + self._strategy)
        self._prepared[template] = name

    def _drop_old(self, *, down_to: int, wait: bool) -> None:
        """Drop all but so many, oldest first, one after the other; without ``wait`` as far as nothing is waited for."""
        while len(self._old) > down_to and (wait or not self._dropper.is_busy()):
            if self._dropper.finish():
                with closing(self._keeper.cursor()) as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (self._old.popleft(),))
            else:
                self._dropper.start(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(self._old[0])))

    def _new_name(self, *, shared: bool) -> str:
        name = self._prefix + secrets.token_hex(4)
        self._lock(name, shared=shared)
        return name

    def _lock(self, name: str, *, shared: bool) -> None:
        function = "pg_advisory_lock_shared" if shared else "pg_advisory_lock"
        with closing(self._keeper.cursor()) as cursor:
            cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", (name,))

    def _fastest_strategy(self) -> SQL:
        """To copy the files wants a checkpoint, which is cheap only where the disk is not waited for."""
        if self._keeper.server_version < STRATEGIES_SINCE:
            return SQL("")
        with closing(self._keeper.cursor()) as cursor:
            cursor.execute("SHOW fsync")
            return SQL(" STRATEGY FILE_COPY" if cursor.fetchone() == ("off",) else " STRATEGY WAL_LOG")


class _Background:
    """A session whose statement runs on while this process does something else."""

    def __init__(self, server: DatabaseUrl) -> None:
        arguments = connection_arguments(server)
        self._connection: Any = psycopg2.connect(**arguments, application_name="maxwell-db tests", async_=True)
        self._cursor: Any = None
        wait_select(self._connection)

    def start(self, statement: Composed) -> None:
        self.finish()
        self._cursor = self._connection.cursor()
        self._cursor.execute(statement)

    def is_busy(self) -> bool:
        """Is a statement running? Waits for nothing."""
        return self._cursor is not None and self._connection.poll() != POLL_OK

    def finish(self) -> bool:
        """Wait for the statement; False if there is none. ConnectionFailed with the server's words if it failed."""
        if self._cursor is None:
            return False
        cursor, self._cursor = self._cursor, None
        try:
            wait_select(self._connection)
        except psycopg2.Error as error:
            raise ConnectionFailed(
                f"a database for a test cannot be made or dropped: {' '.join(str(error).split())}",
                code="SCRATCH_UNAVAILABLE",
                hint="The role has to have CREATEDB.",
            ) from error
        cursor.close()
        return True

    def close(self) -> None:
        self._connection.close()
