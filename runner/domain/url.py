"""Where a database is. The password is in ``DatabaseUrl.text`` alone, and that is never shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.domain.migration import Dialect

#: What stands in a URL as it is, besides letters and digits.
_AS_IT_IS = str.maketrans("", "", "/ _.-~")
_HINT = "Write sqlite:///FILE, sqlite:////ABSOLUTE/FILE or postgresql://USER@HOST/DATABASE."


@dataclass(frozen=True)
class DatabaseUrl:
    """A database's address. ``str()`` gives it without a password."""

    dialect: Dialect
    text: str = field(repr=False)
    shown: str
    name: str  # what a person calls it: the file's name, or the database's
    file: str | None = None  # the SQLite file

    @property
    def path(self) -> Path | None:
        """The SQLite file."""
        if self.file is None:
            return None
        from pathlib import Path  # status does without it

        return Path(self.file)

    def __str__(self) -> str:
        return self.shown


def parse_url(text: str) -> DatabaseUrl:
    """Read a URL, or the path of a SQLite file. UsageError without any part of the text, which may hold a password."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        # A path: what has an '@' or a ':' may be a URL whose scheme was forgotten, with a password in it.
        if not text or "@" in text or ":" in text or "\0" in text:
            raise _bad("it has no scheme")
        return _sqlite(text)
    match scheme.lower():
        case "sqlite":
            return _sqlite(_sqlite_path(rest))
        case "postgres" | "postgresql":
            return _postgres(text)
        case _:
            raise _bad("its scheme is neither sqlite nor postgresql")


def _sqlite_path(rest: str) -> str:
    if not rest.startswith("/") or rest == "/":
        raise _bad("a SQLite URL has three slashes and a file")
    if "?" in rest or "#" in rest:
        raise _bad("a SQLite URL takes no '?' and no '#'; in a file's name write them as %3F and %23")
    path = rest[1:]
    if "%" in path:
        from urllib.parse import unquote

        try:
            path = unquote(path, errors="strict")
        except UnicodeDecodeError:
            raise _bad("a file's name is UTF-8") from None
    if "\0" in path:
        raise _bad("a file's name has no NUL")
    return path


def _sqlite(file: str) -> DatabaseUrl:
    # In pathlib's form: without doubled slashes and single dots.
    root = "//" if file.startswith("//") and not file.startswith("///") else "/" if file.startswith("/") else ""
    file = root + "/".join(part for part in file.split("/") if part not in ("", ".")) or "."
    quoted = file
    if not (file.isascii() and file.translate(_AS_IT_IS).isalnum()):
        from urllib.parse import quote

        quoted = quote(file, safe="/ ")
    shown = f"sqlite:///{quoted}"
    return DatabaseUrl("sqlite", shown, shown, "" if file == "." else file.rpartition("/")[2], file)


def _postgres(text: str) -> DatabaseUrl:
    from urllib.parse import quote, unquote, urlsplit

    try:
        parts = urlsplit(text)
        port, user, host = parts.port, parts.username, parts.hostname
    except ValueError:
        raise _bad("the part after // cannot be read; escape '/', '#', '?' and '@' in a password as %2F ...") from None
    # libpq ends the password at the first '@', Python at the last: only one that has none means one thing.
    if parts.fragment or "@" in parts.path + parts.query or parts.netloc.count("@") > 1:
        raise _bad("escape '/', '#', '?' and '@' in a password as %2F, %23, %3F and %40")
    where = f"{quote(user, safe='%')}@" if user else ""
    # Several hosts and sockets are libpq's business; what stands behind the last '@' never holds the password.
    where += parts.netloc.rpartition("@")[2] if host or port or parts.netloc else ""
    query = "?" + "&".join(map(_masked, parts.query.split("&"))) if parts.query else ""
    name = unquote(parts.path[1:]) or user or ""
    return DatabaseUrl("postgres", text, f"postgresql://{where}{parts.path}{query}", name)


def _masked(option: str) -> str:
    """One option of a URL's query, without its value if that is secret. Its name may be percent-encoded."""
    from urllib.parse import unquote

    name, _, _ = option.partition("=")
    return f"{name}=***" if "password" in unquote(name).lower() else option


def _bad(reason: str) -> UsageError:
    return UsageError(f"the database's URL cannot be read: {reason}", code="BAD_URL", hint=_HINT)
