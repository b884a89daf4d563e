"""PostgreSQL: how to reach it, and what its errors mean."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from runner.errors import ConnectionFailed, MaxwellError, MigrationFailed, UsageError
from runner.identity import user_and_host

if TYPE_CHECKING:
    from runner.domain.migration import Script
    from runner.domain.url import DatabaseUrl

OLDEST = 130000
CONNECT_SECONDS = 10  # unless the URL or the environment says otherwise
LARGE = 32_000_000  # characters; a larger file is sent in pieces of whole statements, so that it is not held thrice
REPLAY_SECONDS = 5  # for one statement, when the one that failed is looked for


def connect(url: DatabaseUrl, *, read_only: bool, what: str) -> Any:
    """Connect as libpq does (PG*, PGPASSFILE, service files, sslmode), to the schema of ``?schema=`` if there is one.

    yoyo knows ``schema`` too, but puts it into SQL as it is; here it is quoted, and has to exist.
    """
    dsn, schema = _dsn(url)
    try:
        connection = psycopg2.connect(dsn, application_name=_application_name(what))
    except psycopg2.Error as error:
        raise translate(error, url) from None  # the cause may quote the connection string
    try:
        connection.autocommit = True
        if connection.server_version < OLDEST:
            raise UsageError(
                f"{url} is PostgreSQL {connection.server_version // 10000}; 13 is the oldest that will do",
                code="POSTGRES_TOO_OLD",
                hint="Upgrade the server.",
            )
        if schema is not None:
            _enter_schema(connection, url, schema)
        if read_only:
            connection.readonly = True
    except BaseException:
        connection.close()
        raise
    return connection


def translate(error: Any, url: DatabaseUrl) -> MaxwellError:
    """An error that is not a statement's fault, with its true cause and no password."""
    text = " ".join(str(error).split())
    password = _password(url)
    if password:
        text = text.replace(password, "***")
    return ConnectionFailed(
        f"{url}: {text}", code="CONNECTION_FAILED", hint="Check host, port, database, user and password."
    )


def statement_failed(error: Any, script: Script, hint: str, start: int = 0) -> MigrationFailed:
    """A driver's error as one of a file: the server's words, its SQLSTATE, detail and hint, and the line if it said.

    What was sent is the text from ``start`` on.
    """
    diag = error.diag
    lines = [
        f"{diag.message_primary or ' '.join(str(error).split())} (SQLSTATE {error.pgcode})"
        if error.pgcode
        else " ".join(str(error).split())
    ]
    lines += [
        f"{name}: {text}"
        for name, text in (("DETAIL", diag.message_detail), ("HINT", diag.message_hint), ("CONTEXT", diag.context))
        if text
    ]
    failure = MigrationFailed("\n".join(lines), code="STATEMENT_FAILED", hint=hint, file=script.path)
    failure.sqlstate = error.pgcode
    if diag.statement_position and not diag.internal_position:
        _place(failure, script, start + int(diag.statement_position) - 1)
    return failure


def is_lock_trouble(failure: MigrationFailed) -> bool:
    """A lock not had in time, a deadlock, a serialization failure: the same migration may well succeed later."""
    return failure.sqlstate in ("55P03", "40P01", "40001")


def locate(connection: Any, script: Script, failure: MigrationFailed) -> None:
    """Find the statement that failed, where the server gave no position, as it does for run-time errors.

    The statements are run again one by one in a transaction that is rolled back, until one fails the same way. What
    took long, or failed by a lock, a timeout or a lost connection, is not repeated.
    """
    from runner.domain import sql  # the scanner is needed where something failed

    if len(script.text) > LARGE:
        return  # to run it all again takes too long
    found = list(sql.postgres_statements(script.text))
    if len(found) == 1:
        failure.line, failure.statement = sql.line_of(script.text, found[0].start), found[0].text
        return
    if connection.closed or failure.sqlstate is None or failure.sqlstate[:2] in ("08", "40", "53", "55", "57"):
        return
    with closing(connection.cursor()) as cursor:
        try:
            cursor.execute(
                f"BEGIN; SET LOCAL statement_timeout = {REPLAY_SECONDS * 1000}; SET LOCAL lock_timeout = 500"
            )
            for statement in found:
                try:
                    cursor.execute(statement.text)
                except psycopg2.Error as error:
                    if error.pgcode == failure.sqlstate:
                        failure.line, failure.statement = sql.line_of(script.text, statement.start), statement.text
                    return
        except psycopg2.Error:
            return
        finally:
            if not connection.closed:
                cursor.execute("ROLLBACK")


def _place(failure: MigrationFailed, script: Script, offset: int) -> None:
    from runner.domain import sql

    failure.line = sql.line_of(script.text, offset)
    if len(script.text) > LARGE:
        return
    for statement in sql.postgres_statements(script.text):
        if statement.start <= offset < statement.start + len(statement.text):
            failure.statement = statement.text


def connection_arguments(url: DatabaseUrl) -> dict[str, Any]:
    """What libpq is told of a database, the password among it: host, port, dbname, user, sslmode ..."""
    return dict(parse_dsn(_dsn(url)[0]))


def _dsn(url: DatabaseUrl) -> tuple[str, str | None]:
    """libpq's connection string, and the schema, which libpq does not know."""
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    parts = urlsplit(url.text)
    options = parse_qsl(parts.query, keep_blank_values=True)
    schema = next((value for key, value in options if key == "schema"), None)
    rest = urlencode([(key, value) for key, value in options if key != "schema"])
    try:
        arguments = parse_dsn(urlunsplit(("postgresql", parts.netloc, parts.path, rest, "")))
    except psycopg2.ProgrammingError:
        raise UsageError(
            f"{url}: an option of the URL is unknown or malformed",
            code="BAD_URL",
            hint="The options are libpq's (sslmode, connect_timeout ...), and schema.",
        ) from None
    if "PGCONNECT_TIMEOUT" not in os.environ:
        arguments.setdefault("connect_timeout", CONNECT_SECONDS)  # libpq's own is for ever
    return make_dsn(**arguments), schema


def _application_name(what: str) -> str:
    """By it a waiting run says who holds the lock. PostgreSQL keeps 63 bytes, so the pid stands first."""
    if not what:
        return "maxwell-db"
    user, host = user_and_host()
    return f"maxwell-db {what}, pid {os.getpid()} of {user}@{host}"[:63]


def _password(url: DatabaseUrl) -> str | None:
    try:
        value = parse_dsn(_dsn(url)[0]).get("password")
    except (psycopg2.Error, UsageError):
        return None
    return None if value is None else str(value)


def _enter_schema(connection: Any, url: DatabaseUrl, schema: str) -> None:
    from psycopg2.sql import SQL, Identifier

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))
        if cursor.fetchone() is None:
            raise UsageError(
                f"{url}: the schema is not there", code="NO_SUCH_SCHEMA", hint=f'Make it: CREATE SCHEMA "{schema}".'
            )
        cursor.execute(SQL("SET search_path TO {}").format(Identifier(schema)))
