"""Databases that are made for a while on a PostgreSQL server, and dropped again."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg2
from psycopg2.sql import SQL, Composed, Identifier, Literal

from runner.dialects.postgres import connect
from runner.domain.url import DatabaseUrl, parse_url
from runner.errors import ConnectionFailed

PREFIX = "maxwell_scratch_"  # by it a person knows one that a killed run left behind


@dataclass(frozen=True)
class Likeness:
    """What a scratch database takes over from another one, so that it answers as that does."""

    version: int  # the server's major version
    schema: str
    encoding: str
    collate: str
    ctype: str
    provider: str = "c"  # c: the system's, i: ICU's, b: PostgreSQL's own
    locale: str | None = None


def likeness(url: DatabaseUrl) -> Likeness:
    """What a database is like; ConnectionFailed if it cannot be asked."""
    with closing(connect(url, read_only=True, what="")) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(
            """
            SELECT coalesce(current_schema(), 'public'), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
                   coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
                   coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
            FROM pg_database AS d WHERE d.datname = current_database()
            """
        )
        return Likeness(connection.server_version // 10000, *cursor.fetchone())


@contextmanager
def database_on(server: DatabaseUrl, like: Likeness | None) -> Iterator[DatabaseUrl]:
    """A new, empty database on the server of a URL, dropped with all its sessions whatever happens.

    ConnectionFailed if the server cannot be reached, or does not let this role create one.
    """
    # This session's lock on the name says that the database is in use; it ends with the run, however that ends.
    with closing(connect(server, read_only=False, what="scratch")) as keeper:
        ours = own_prefix(keeper)
        drop_abandoned(keeper, ours)
        name = ours + secrets.token_hex(4)
        hold(keeper, name)
        try:
            create(server, name, like)
            if like is not None and like.schema != "public":
                with closing(connect(beside(server, name), read_only=False, what="scratch")) as connection:
                    run(connection, SQL("CREATE SCHEMA {}").format(Identifier(like.schema)))
            yield beside(server, name, like)
        finally:
            with closing(connect(server, read_only=False, what="scratch")) as connection:
                run(connection, SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def own_prefix(connection: Any) -> str:
    """What the names of our scratch databases begin with: PostgreSQL keeps locks apart by the database that we are
    connected to, so each has names of its own."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT substr(md5(current_database()), 1, 8)")
        return f"{PREFIX}{cursor.fetchone()[0]}"


def hold(connection: Any, name: str) -> bool:
    """Say that this session uses the database of that name; False if another one does."""
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,))
        return bool(cursor.fetchone()[0])


def drop_abandoned(connection: Any, prefix: str) -> None:
    """Drop what killed runs left: databases of ours whose lock nobody holds."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            "SELECT datname::text FROM pg_database WHERE datname ~ %s AND pg_has_role(datdba, 'USAGE')",
            (f"^{prefix}[0-9a-f]{{8}}$",),
        )
        for (name,) in cursor.fetchall():
            if hold(connection, name):
                with suppress(psycopg2.Error):  # another run does the same
                    run(connection, SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)))
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))


def create(server: DatabaseUrl, name: str, like: Likeness | None) -> None:
    """Without the other's locale where this server does not have it: of a schema that changes nothing."""
    plain = SQL("CREATE DATABASE {} TEMPLATE template0").format(Identifier(name))
    with closing(connect(server, read_only=False, what="scratch")) as connection:
        try:
            if like is not None:
                try:
                    run(connection, plain + _settings(like))
                    return
                except (psycopg2.DataError, psycopg2.ProgrammingError, psycopg2.OperationalError) as error:
                    if error.pgcode in ("42501", "57014"):  # no right to, or told to stop
                        raise
            run(connection, plain)
        except psycopg2.Error as error:
            raise ConnectionFailed(
                f"{server}: a scratch database cannot be made: {' '.join(str(error).split())}",
                code="SCRATCH_UNAVAILABLE",
                hint="The role has to have CREATEDB; or name another server with --scratch URL.",
            ) from error


def _settings(like: Likeness) -> Composed:
    words = SQL(" ENCODING {} LC_COLLATE {} LC_CTYPE {}").format(
        Literal(like.encoding), Literal(like.collate), Literal(like.ctype)
    )
    if like.provider == "i":
        words += SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}").format(Literal(like.locale))
    elif like.provider == "b":
        words += SQL(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}").format(Literal(like.locale))
    return words


def run(connection: Any, statement: Composed) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def beside(server: DatabaseUrl, name: str, like: Likeness | None = None) -> DatabaseUrl:
    """The URL of another database on the same server, and the same schema in it."""
    parts = urlsplit(server.text)
    options = [
        (key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in ("schema", "dbname")
    ]
    if like is not None:
        options.append(("schema", like.schema))
    # Without a host the two slashes would be lost.
    query = urlencode(options)
    text = urlunsplit((parts.scheme, parts.netloc, f"/{name}", query, ""))
    return parse_url(text if "://" in text else text.replace(":/", ":///", 1))
