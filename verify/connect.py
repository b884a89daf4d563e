"""Open a database by its URL for reading, and for nothing else: no file is made, no row can be written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from verify.errors import VerifyError
from verify.quoting import Dialect, quote_identifier

_HINT = (
    "sqlite:///relative.db, sqlite:////absolute.db or postgresql://user@host/name; "
    "percent-encode what is special in a path or a password."
)


def open_read_only(url: str) -> tuple[Any, Dialect]:
    """An open connection that cannot write, as ``verify.run.verify`` wants it, and its dialect.

    Raises VerifyError for a URL that is not one, a file that is not there, and a server that does not answer; its
    message holds no part of the URL but a SQLite file's path.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        return _open_sqlite(sqlite_path(url)), "sqlite"
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        return _open_postgres(url), "postgres"
    raise _bad_url("the database URL names neither sqlite nor postgresql")


def mask_password(url: str) -> str:
    """The URL with its password replaced by ``***``; what cannot be read as a URL is not shown at all."""
    if url.lower().startswith("sqlite:"):
        return url
    try:
        parts = _split(url)
    except VerifyError:
        return "(unreadable URL)"
    user = quote(unquote(parts.username or ""), safe="")
    secret = ":***" if parts.password else ""
    at = "@" if user or secret else ""
    place = parts.netloc.rpartition("@")[2]
    query = re.sub(r"(?i)((?:^|&)[^=&]*(?:password|passphrase|secret|token)[^=&]*=)[^&]*", r"\1***", parts.query)
    return f"{parts.scheme}://{user}{secret}{at}{place}{parts.path}{'?' if query else ''}{query}"


def sqlite_path(url: str) -> Path:
    """The file of a SQLite URL. Raises VerifyError if there is none, or if it could mean another file."""
    rest = url[len("sqlite:") :]
    if not rest.startswith("///") or rest == "///":
        raise _bad_url("a SQLite URL has three slashes and a path")
    if "?" in rest or "#" in rest:
        raise _bad_url("a SQLite URL cannot hold ? or #: write %3F or %23")
    try:
        path = unquote(rest[3:], errors="strict")
    except UnicodeDecodeError as error:
        raise _bad_url("the percent-encoded path of the SQLite URL is not UTF-8") from error
    if "\0" in path:
        raise _bad_url("the path of the SQLite URL holds a NUL character")
    if path == ":memory:":
        raise _bad_url("a database in memory begins empty: there is nothing to verify")
    return Path(path)


def _open_sqlite(path: Path) -> Any:
    import sqlite3

    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise VerifyError(
            f"the database file {what}: {path}",
            code="NO_DATABASE",
            hint="Check the path; a relative one starts in the working folder. Nothing was created.",
        )
    connection = None
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None)
        connection.execute("PRAGMA trusted_schema = OFF")  # what a foreign file's views may call
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise _unreadable(path, error) from error
    return connection


def _unreadable(path: Path, error: Exception) -> VerifyError:
    text = str(error)
    if "not a database" in text:
        return VerifyError(f"not a SQLite database: {path}", code="NOT_A_DATABASE", hint="Check the path.")
    if "locked" in text:
        hint = "Another program is writing; try again."
    elif "readonly" in text or "unable to open" in text:
        hint = "A write-ahead log, or a transaction that a crash cut off, needs a folder that can be written."
    else:
        hint = "Restore a backup if the file is damaged."
    return VerifyError(f"the database cannot be read: {path}: {text}", code="UNREADABLE", hint=hint, exit_code=1)


def _open_postgres(url: str) -> Any:
    parts = _split(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema = options.pop("schema", None)  # yoyo's own option
    given = {
        "dbname": unquote(parts.path[1:]),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "host": unquote(parts.hostname or ""),
        "port": str(parts.port or ""),
    }
    settings: dict[str, Any] = {"application_name": "maxwell-verify"}
    settings |= {key: value for key, value in given.items() if value} | options
    import psycopg2

    try:
        connection = psycopg2.connect(**settings)
    except psycopg2.ProgrammingError as error:
        raise _bad_url("the PostgreSQL URL has an option that the client does not know") from error
    except psycopg2.OperationalError as error:
        raise VerifyError(
            f"PostgreSQL cannot be reached: {_without_secrets(str(error), settings)}",
            code="UNREACHABLE",
            hint="Check host, port, database, user and password (a PGPASSFILE keeps it out of the URL).",
            exit_code=1,
        ) from None
    connection.set_session(readonly=True, autocommit=True)
    connection.set_client_encoding("UTF8")
    if schema:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('search_path', %s, false)", (quote_identifier(schema),))
    return connection


def _split(url: str) -> SplitResult:
    """The parts of a PostgreSQL URL, or VerifyError: what is ambiguous would put a password where it is shown."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for what is no number)
    except ValueError:
        raise _bad_url("the PostgreSQL URL cannot be read") from None
    path = parts.path[1:]
    query_is_pairs = all("=" in pair for pair in parts.query.split("&")) if parts.query else True
    if "#" in url or "/" in path or "@" in path or "@" in parts.query or not query_is_pairs or "://" not in url:
        raise _bad_url("the PostgreSQL URL cannot be read")
    return parts


def _without_secrets(text: str, settings: dict[str, Any]) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no answer")
    for key in ("password", "sslpassword"):
        if secret := settings.get(key):
            line = line.replace(secret, "***")
    return line


def _bad_url(message: str) -> VerifyError:
    return VerifyError(message, code="BAD_URL", hint=_HINT)
