"""Restore a dump into a new database, and let it take the live one's name when it is complete.

Until the swap, which is one transaction, the live database is not touched. It needs the right to create databases.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.sql import SQL, Composable, Identifier, Literal

from runner import interruption
from runner.backup.child import run
from runner.dialects.postgres import connection_arguments, translate
from runner.dialects.postgres_programs import Program, access
from runner.domain.url import DatabaseUrl
from runner.errors import LockTimeout

_NEW, _OLD = "maxwell-restore", "maxwell-before"
_MAINTENANCE = ("postgres", "template1")
_POLL_SECONDS = 0.1


class Swap:
    """One restore by swap. ``live`` is the database's name."""

    def __init__(self, url: DatabaseUrl, admin: Any, live: str) -> None:
        self.url = url
        self.live = live
        self._admin = admin
        suffix = secrets.token_hex(4)
        # PostgreSQL cuts names at 63 bytes.
        short = live.encode()[:36].decode(errors="ignore")
        self.new, self.old = f"{short}.{_NEW}-{suffix}", f"{short}.{_OLD}-{suffix}"
        self._leftovers = f"^{_escaped(short)}\\.({_NEW}|{_OLD})-[0-9a-f]{{8}}$"

    def run(
        self,
        pg_restore: Program,
        file: Path,
        check: Callable[[Any], None],
        release: Callable[[], None],
        *,
        disconnect: bool,
        wait: float,
    ) -> None:
        """Restore ``file``; ``check`` what came of it; ``release`` our own session on the live one; swap.

        BackupFailed or LockTimeout leave the live database as it was.
        """
        self._drop_leftovers()
        self._execute(self._create_database())
        try:
            self._restore(pg_restore, file)
            with closing(connect(self.url, self.new)) as connection, interruption.watched(connection):
                check(connection)
            self._take_over_properties()
            release()
            self._swap(disconnect, wait)
        except BaseException:
            self._drop(self.new)
            raise
        self._drop(self.old)

    def _restore(self, pg_restore: Program, file: Path) -> None:
        with access(self.url, self.new) as (dsn, environment):
            options = ["--exit-on-error", "--single-transaction", "--no-password", f"--dbname={dsn}"]
            run([str(pg_restore.path), *options, str(file)], environment)

    def _create_database(self) -> Composable:
        """As the live one: owner, encoding, locale, tablespace; the columns are those of the server's version."""
        row = self._row(
            "SELECT to_jsonb(d) || jsonb_build_object('owner', pg_get_userbyid(d.datdba), 'tablespace',"
            " (SELECT spcname FROM pg_tablespace WHERE oid = d.dattablespace), 'charset',"
            " pg_encoding_to_char(d.encoding)) FROM pg_database AS d WHERE datname = %s",
            self.live,
        )[0]
        settings: list[tuple[str, str]] = [
            ("ENCODING", row["charset"]),
            ("LC_COLLATE", row["datcollate"]),
            ("LC_CTYPE", row["datctype"]),
        ]
        locale = row.get("datlocale") or row.get("daticulocale")
        if row.get("datlocprovider") == "i":
            settings += [("LOCALE_PROVIDER", "icu"), ("ICU_LOCALE", locale)]
            if row.get("daticurules"):
                settings += [("ICU_RULES", row["daticurules"])]
        elif row.get("datlocprovider") == "b":
            settings += [("LOCALE_PROVIDER", "builtin"), ("BUILTIN_LOCALE", locale)]
        return SQL("CREATE DATABASE {} TEMPLATE template0 OWNER {} TABLESPACE {} {}").format(
            Identifier(self.new),
            Identifier(row["owner"]),
            Identifier(row["tablespace"]),
            SQL(" ").join(SQL("{} {}").format(SQL(name), Literal(value)) for name, value in settings),
        )

    def _take_over_properties(self) -> None:
        """What a dump of one database leaves out: who may connect, settings, the limit of connections, the comment."""
        new = Identifier(self.new)
        limit, comment, oid = self._row(
            "SELECT datconnlimit, shobj_description(oid, 'pg_database'), oid FROM pg_database WHERE datname = %s",
            self.live,
        )
        statements = [SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(new, Literal(limit))]
        if comment is not None:
            statements.append(SQL("COMMENT ON DATABASE {} IS {}").format(new, Literal(comment)))
        grants = self._rows(
            "SELECT g.privilege_type, g.is_grantable, CASE WHEN g.grantee = 0 THEN NULL"
            " ELSE pg_get_userbyid(g.grantee) END FROM pg_database AS d, aclexplode(d.datacl) AS g"
            " WHERE d.datname = %s",
            self.live,
        )
        if grants:  # else they are the default ones, which the new one has
            statements.append(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(new))
        for privilege, grantable, role in grants:
            statements.append(
                SQL("GRANT {} ON DATABASE {} TO {}{}").format(
                    SQL(privilege),
                    new,
                    SQL("PUBLIC") if role is None else Identifier(role),
                    SQL(" WITH GRANT OPTION" if grantable else ""),
                )
            )
        for role, name, value in self._rows(
            "SELECT r.rolname, split_part(c.setting, '=', 1), substr(c.setting, strpos(c.setting, '=') + 1)"
            " FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c (setting)"
            " LEFT JOIN pg_roles AS r ON r.oid = s.setrole WHERE s.setdatabase = %s",
            oid,
        ):
            whom = (
                SQL("DATABASE {}").format(new)
                if role is None
                else SQL("ROLE {} IN DATABASE {}").format(Identifier(role), new)
            )
            # What holds a list is stored as SQL would write it: quoted names with commas between them.
            listed = name in ("search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces")
            text = SQL(value or "''") if listed else Literal(value)
            statements.append(SQL("ALTER {} SET {} TO {}").format(whom, _setting(name), text))
        self._execute(SQL("; ").join(statements))

    def _swap(self, disconnect: bool, wait: float) -> None:
        """Both renames in one transaction, as soon as nobody is connected to the live database."""
        deadline = time.monotonic() + max(wait, 5.0 if disconnect else 0.0)
        rename = SQL(
            "BEGIN; ALTER DATABASE {live} RENAME TO {old}; ALTER DATABASE {new} RENAME TO {live}; COMMIT"
        ).format(live=Identifier(self.live), old=Identifier(self.old), new=Identifier(self.new))
        while True:
            if disconnect:
                self._rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self.live)
            try:
                # A rename waits for sessions to leave by itself, for five seconds and without being told to stop.
                if not self._sessions() or disconnect:
                    self._execute(rename)
                    return
            except psycopg2.Error as error:
                self._execute(SQL("ROLLBACK"))
                if error.pgcode != errorcodes.OBJECT_IN_USE:
                    raise
            interruption.check()
            if time.monotonic() > deadline:
                raise LockTimeout(
                    f"the database is in use, so it cannot be replaced: {', '.join(self._sessions()) or 'others came'}",
                    code="DATABASE_IN_USE",
                    hint="Nothing was changed. Stop what uses it, or end its sessions: --disconnect.",
                )
            time.sleep(_POLL_SECONDS)

    def _sessions(self) -> list[str]:
        return [
            f"{name or 'a session'}, server process {pid} of {user}"
            for name, pid, user in self._rows(
                "SELECT application_name, pid, usename FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend' ORDER BY pid",
                self.live,
            )
        ]

    def _drop_leftovers(self) -> None:
        """Databases that a killed restore left. Whoever makes them holds the live one's lock, so none is in use."""
        for (name,) in self._rows("SELECT datname::text FROM pg_database WHERE datname ~ %s", self._leftovers):
            self._drop(name)

    def _drop(self, name: str) -> None:
        if not self._admin.closed:
            self._execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def _execute(self, statement: Composable) -> None:
        with closing(self._admin.cursor()) as cursor:
            cursor.execute(statement)

    def _rows(self, sql: str, value: Any) -> list[tuple[Any, ...]]:
        with closing(self._admin.cursor()) as cursor:
            cursor.execute(sql, (value,))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _row(self, sql: str, value: Any) -> tuple[Any, ...]:
        (row,) = self._rows(sql, value)
        return row


@contextmanager
def swap(url: DatabaseUrl, live: str) -> Iterator[Swap | None]:
    """A swap of the database ``live``; None where we may not create databases, or may not rename this one."""
    admin = _maintenance(url, live)
    if admin is None:
        yield None
        return
    with closing(admin), interruption.watched(admin), closing(admin.cursor()) as cursor:
        cursor.execute(
            "SELECT (r.rolcreatedb AND pg_has_role(d.datdba, 'USAGE')) OR r.rolsuper"
            " FROM pg_roles AS r, pg_database AS d WHERE r.rolname = current_user AND d.datname = %s",
            (live,),
        )
        allowed = cursor.fetchone()
        yield Swap(url, admin, live) if allowed and allowed[0] else None


def connect(url: DatabaseUrl, database: str) -> Any:
    """A connection in autocommit mode to another database of the same server."""
    try:
        connection = psycopg2.connect(**connection_arguments(url) | {"dbname": database})
    except psycopg2.Error as error:
        raise translate(error, url) from None
    connection.autocommit = True
    return connection


def _maintenance(url: DatabaseUrl, live: str) -> Any | None:
    for name in _MAINTENANCE:
        if name != live:
            try:
                return connect(url, name)
            except Exception:  # one may be missing or closed to us; then the other, or no swap
                continue
    return None


def _setting(name: str) -> Composable:
    return SQL(".").join(Identifier(part) for part in name.split("."))


def _escaped(text: str) -> str:
    return "".join(
        letter if letter.isalnum() and letter.isascii() else f"\\{letter}" if letter.isascii() else letter
        for letter in text
    )
