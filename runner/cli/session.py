"""One call of the program: what it was told, the project that means, and how its answer or its error is given."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runner.config import read_settings, variable
from runner.domain.url import DatabaseUrl, parse_url
from runner.errors import MaxwellError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from runner.operations.project import Project

DEFAULT_DATABASE = "sqlite:///maxwell.db"
TRUE_WORDS = frozenset({"1", "true", "yes", "on", "t", "y"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", "f", "n", ""})


class Session:
    """One call of the program. Of a common option given on both sides of the command, the later one wins."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.command = ""
        self.flags: dict[str, Any] = {}
        self._settings: dict[str, str] | None = None
        self._url: DatabaseUrl | None = None

    def set_flag(self, name: str, value: Any) -> None:
        """An option as it was given on the command line."""
        self.flags[name] = value
        self.json = self.json or name == "json"

    @property
    def settings(self) -> dict[str, str]:
        """The configuration file's, read once."""
        if self._settings is None:
            given = self.flags.get("config") or os.environ.get(variable("config"))
            self._settings = read_settings(given)
        return self._settings

    def _value(self, name: str, *variables: str) -> Any:
        """Flag, then environment, then file; None where none has it."""
        if self.flags.get(name) is not None:
            return self.flags[name]
        for one in (variable(name), *variables):
            if os.environ.get(one):
                return os.environ[one]
        return self.settings.get(name)

    def switch(self, name: str) -> bool:
        """A setting that is on or off. UsageError if it is neither."""
        value = self._value(name)
        if isinstance(value, bool):
            return value
        text = str(value or "").lower()
        if text not in TRUE_WORDS | FALSE_WORDS:
            raise UsageError(f"{name}: '{text}' is neither yes nor no", code="USAGE", hint="Write yes or no.")
        return text in TRUE_WORDS

    @property
    def quiet(self) -> bool:
        return self.switch("quiet")

    @property
    def verbose(self) -> bool:
        with suppress(UsageError):  # asked for when something has gone wrong already
            return self.switch("verbose")
        return False

    @property
    def logs_json(self) -> bool:
        """Are progress and errors to be JSON lines?"""
        value = str(self._value("log-format") or "text")
        if value not in ("text", "json"):
            raise UsageError(f"--log-format: '{value}' is neither text nor json", code="USAGE", hint="Write json.")
        return value == "json"

    @property
    def color(self) -> bool:
        """On a terminal, unless NO_COLOR or --no-color speak against it."""
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not self.switch("no-color")

    @property
    def url(self) -> DatabaseUrl:
        if self._url is None:
            self._url = parse_url(str(self._value("database", "DATABASE_URL") or DEFAULT_DATABASE))
            self._warn_of_password(self._url, "database" in self.flags)
        return self._url

    def work_on(self, url: DatabaseUrl, *, from_command_line: bool) -> None:
        """The database is this one, which another option than --database named."""
        self._url = url
        self._warn_of_password(url, from_command_line)

    def _warn_of_password(self, url: DatabaseUrl, from_command_line: bool) -> None:
        if not from_command_line or url.dialect == "sqlite":
            return
        from urllib.parse import parse_qs, urlsplit

        parts = urlsplit(url.text)
        if parts.password or "password" in parse_qs(parts.query):
            words = "a password on the command line can be read by everybody on this machine; "
            words += "use DATABASE_URL, PGPASSFILE or a service file"
            if self.logs_json:
                from runner.cli.json_log import line

                say(line("warning", words), err=True)
            else:
                say(f"warning: {words}", err=True)

    def without_password(self, text: str) -> str:
        """A driver's words about a connection, without any part of the URL that could hold a password."""
        from urllib.parse import unquote, urlsplit

        if self._url is None or self._url.dialect == "sqlite":
            return text
        password = urlsplit(self._url.text).password
        return text.replace(unquote(password), "***").replace(password, "***") if password else text

    def project(self, checks: tuple[Path, ...] = ()) -> Project:
        return self.project_of(self.url, checks)

    def project_of(self, url: DatabaseUrl, checks: tuple[Path, ...] = ()) -> Project:
        """The project with another database than the one that --database names."""
        from runner.operations.project import Project

        self.read_json_setting()
        return Project(url, self.sql, checks)

    @property
    def sql(self) -> Path:
        """The folder of the migrations."""
        from pathlib import Path

        return Path(self.sql_name)

    @property
    def sql_name(self) -> str:
        """The same by its name, for who does not need a Path for anything else."""
        given = self._value("sql")
        return str(given) if given else _default_sql()

    @property
    def own_sql(self) -> Path:
        """The folder of the user's own migrations: never the one that the package carries."""
        from pathlib import Path

        given = self._value("sql")
        return Path(str(given)) if given else Path("sql")

    @property
    def program(self) -> str:
        """How to call the program again for the same database: with the flags that say which, but no password."""
        import shlex

        given = self.flags | ({"database": str(self.url)} if "database" in self.flags else {})
        words = [f"--{name} {shlex.quote(str(given[name]))}" for name in ("database", "sql", "config") if name in given]
        return " ".join(["maxwell-db", *words])

    def read_json_setting(self) -> None:
        """Environment and file may ask for JSON too."""
        self.json = self.json or self.switch("json")

    def answer(self, text: str, data: dict[str, Any], exit_code: int = 0) -> int:
        """Give a command's answer on stdout, as text or as the one JSON object, and return its exit code."""
        if self.json:
            say(self._object(data, exit_code))
        elif text:
            say(text)
        return exit_code

    def fail(self, error: MaxwellError, exit_code: int) -> int:
        """Tell of a failure: in JSON on stdout, else on stderr; and return the exit code."""
        from runner.cli.render import error_data, error_text

        with suppress(MaxwellError):  # the setting may be what is wrong
            self.read_json_setting()
        logs_json = False
        with suppress(MaxwellError):
            logs_json = self.logs_json
        if logs_json:
            from runner.cli.json_log import line

            facts = {key: value for key, value in error.as_dict().items() if key != "message"}
            event = line("error", error.message, exit_code=exit_code, **facts)
            say(_without_passwords(event), err=True)
        if self.json or not logs_json:
            text = self._object(error_data(self.command, error), exit_code) if self.json else error_text(error)
            say(_without_passwords(text), err=not self.json)
        return exit_code

    def _object(self, data: dict[str, Any], exit_code: int) -> str:
        import json

        head = {
            "command": self.command,
            "ok": exit_code == 0,
            "exit_code": exit_code,
            "database": str(self._url) if self._url else None,
            "dialect": self._url.dialect if self._url else None,
        }
        return json.dumps(head | data, indent=2, ensure_ascii=False)


def say(text: str, *, err: bool = False) -> None:
    """Print as ``click.echo`` does; it is imported for what it knows better, colours and other encodings."""
    stream = sys.stderr if err else sys.stdout
    if "\x1b" in text or not (text.isascii() or str(stream.encoding).lower() == "utf-8"):
        import click

        click.echo(text, err=err)
    else:
        stream.write(f"{text}\n")
        stream.flush()


def _default_sql() -> str:
    """``sql`` in the working folder; else Maxwell's own, which the package carries."""
    if os.path.isdir("sql"):
        return "sql"
    import runner

    package = os.path.dirname(str(runner.__file__))
    carried = os.path.join(package, "maxwell")
    return carried if os.path.isdir(carried) else os.path.join(os.path.dirname(package), "sql")


def _without_passwords(text: str) -> str:
    """Without the password of a URL that stands where none belongs, as a target, say, and comes back in a message."""
    import re

    return re.sub(r"(\b[a-z][a-z0-9+.-]*:/{1,2}[^\s:/@\"']*):[^\s\"']*@", r"\1:***@", text, flags=re.IGNORECASE)
