"""Reaching a database: the file asked for and no other, the true cause in one line, and never a password.

The tests are named after the rows of a table of faults.
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg2
import pytest

from tests.support.databases import (
    Database,
    drop_postgres_database,
    postgres_database,
    run_as_admin,
    sqlite_database,
)
from tests.support.folders import (
    Folder,
    applied,
    assert_failed,
    footprint,
    marks,
    own_schema,
    own_tables,
    permissions_count,
)
from tests.support.tool import Result, maxwell_db, maxwell_db_process

COMMANDS = (("status",), ("apply",), ("history",), ("stamp", "head"), ("rollback", "--yes"), ("verify",))
_numbers = itertools.count()


@pytest.fixture(scope="module")
def base(pg_url: str) -> Iterator[Database]:
    base = postgres_database(pg_url, f"connections_{os.getpid()}")
    yield base
    drop_postgres_database(pg_url, base)


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """One migration in both dialects, outside the folder where the databases are."""
    root = tmp_path / "migrations"
    for folder in (Folder(root, "sqlite"), Folder(root, "postgres")):
        folder.pair("001_a")
    return root


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder for databases."""
    place = tmp_path / "place"
    place.mkdir()
    return place


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def on(*arguments: str, url: str, sql: Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> Result:
    return maxwell_db(*arguments, database=url, sql=None if arguments[-1] == "verify" else sql, cwd=cwd, env=env)


def refused(
    url: str,
    sql: Path,
    code: str,
    exit_code: int,
    *,
    commands: tuple[tuple[str, ...], ...] = COMMANDS,
    cwd: Path | None = None,
) -> str:
    """Each command fails with this code, in one line and its hint; the message."""
    for command in commands:
        result, as_json = (on(*more, *command, url=url, sql=sql, cwd=cwd) for more in ((), ("--json",)))
        assert_failed(result, as_json, code, exit_code)
        errors = [line for line in result.stderr.splitlines() if not line.startswith(("the database ", "warning: "))]
        assert len(errors) == 2, result.stderr
    return str(as_json.json()["error"]["message"])


ODD = [
    "a b.db",
    "q?x=1.db",
    "hash#x.db",
    "per%41nt.db",
    "100%.db",
    "Zürich☃.db",
    "semi;colon.db",
    "amp&x.db",
    "plus+x.db",
    "at@colon:x.db",
    "it's.db",
    'say "x".db',
    "[x].db",
    "back\\slash.db",
    "file:x.db",
    "-x.db",
    "None",
]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("form", ["absolute", "relative"])
def test_e01_the_file_asked_for_is_the_file_made(place: Path, sql: Path, name: str, form: str) -> None:
    url = f"sqlite:///{quote(str(place / name) if form == 'absolute' else name)}"
    result = on("--json", "apply", url=url, sql=sql, cwd=place)
    assert result.exit_code == 0, result.stdout
    assert names(place) == [name]
    assert sqlite_database(place / name).tables() == {"t_001_a"}
    for command in (["status"], ["verify"], ["history"], ["rollback", "--yes"]):
        assert on(*command, url=url, sql=sql, cwd=place).exit_code == 0
    assert names(place) == [name]
    shown = result.json()["database"]
    assert on("--json", "status", url=shown, sql=sql, cwd=place).json()["ok"], "what is shown can be given back"


@pytest.mark.parametrize("name", [name for name in ODD if "@" not in name and ":" not in name])
def test_e01_a_path_is_taken_as_it_is(place: Path, sql: Path, name: str) -> None:
    assert on("apply", url=str(place / name), sql=sql).exit_code == 0
    assert names(place) == [name]


@pytest.mark.parametrize("name", ["q?x.db", "hash#x.db", "x.db?mode=ro"])
def test_e01_a_raw_question_mark_is_refused(place: Path, sql: Path, name: str) -> None:
    refused(f"sqlite:///{place}/{name}", sql, "BAD_URL", 2)
    assert names(place) == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite:x.db",
        "sqlite:/x.db",
        "sqlite://",
        "sqlite://x.db",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///%00",
    ],
)
def test_e02_a_url_without_a_file(place: Path, sql: Path, url: str) -> None:
    for command in COMMANDS:
        result = on("--json", *command, url=url, sql=sql, cwd=place)
        assert result.exit_code == 2
        assert result.json()["error"]["code"] in ("BAD_URL", "NOT_A_DATABASE")
    assert names(place) == []


@pytest.mark.parametrize("url", ["sqlite:///%ff.db", "sqlite:///a%zz%ff.db"])
def test_e02_a_name_that_is_not_utf8(place: Path, sql: Path, url: str) -> None:
    refused(url, sql, "BAD_URL", 2, cwd=place)
    assert names(place) == []


@pytest.mark.parametrize("url", ["mysql://u@h/d", "oracle+cx://u@h/d", "http://h/d", "://", "u:p@h/d", "h:5432/d"])
def test_e02_a_url_of_something_else(place: Path, sql: Path, url: str) -> None:
    refused(url, sql, "BAD_URL", 2, cwd=place)
    assert names(place) == []


def test_e03_the_folder_is_missing(place: Path, sql: Path) -> None:
    message = refused(f"sqlite:///{place}/nowhere/x.db", sql, "NO_SUCH_FOLDER", 2)
    assert f"{place}/nowhere" in message
    assert names(place) == []


def test_e03_a_folder_as_the_file(place: Path, sql: Path) -> None:
    assert f"{place} is a folder" in refused(f"sqlite:///{place}", sql, "NOT_A_DATABASE", 2)


def test_e03_a_file_as_the_folder(place: Path, sql: Path) -> None:
    (place / "x.db").touch()
    refused(f"sqlite:///{place}/x.db/y.db", sql, "NO_SUCH_FOLDER", 2)
    assert names(place) == ["x.db"]


@pytest.mark.parametrize("data", [b"id,name\n1,one\n" * 100, b"SQLite format 4\0" + b"x" * 4096, b"x"])
def test_e04_a_file_that_is_no_database(place: Path, sql: Path, data: bytes) -> None:
    path = place / "list.csv"
    path.write_bytes(data)
    message = refused(f"sqlite:///{path}", sql, "NOT_A_DATABASE", 1)
    assert str(path) in message
    assert path.read_bytes() == data and names(place) == ["list.csv"]


def test_e04_a_database_that_is_damaged(place: Path, sql: Path) -> None:
    database = sqlite_database(place / "x.db")
    applied(sql, database)
    data = bytearray((place / "x.db").read_bytes())
    data[100:4096] = b"\xff" * 3996
    (place / "x.db").write_bytes(data)
    for command in COMMANDS:
        result = on(*command, url=database.url, sql=sql)
        assert result.exit_code in (1, 4), result
        assert "Traceback" not in result.stderr and "malformed" in result.stderr + result.stdout
    assert (place / "x.db").read_bytes() == data and names(place) == ["x.db"]


@pytest.mark.skipif(not permissions_count(), reason="root may write what is read-only")
@pytest.mark.parametrize(("what", "mode"), [("x.db", 0o444), (".", 0o555)])
def test_e05_a_read_only_file(place: Path, sql: Path, what: str, mode: int) -> None:
    database = sqlite_database(place / "x.db")
    applied(sql, database)
    (sql / "sqlite" / "002_b.sql").write_text("CREATE TABLE b (id INTEGER);\n")
    (sql / "sqlite" / "002_b.rollback.sql").write_text("DROP TABLE b;\n")
    (place / what).chmod(mode)
    try:
        assert on("status", url=database.url, sql=sql).exit_code == 0
        assert on("verify", url=database.url, sql=sql).exit_code == 0
        refused(database.url, sql, "READ_ONLY", 1, commands=(("apply",), ("rollback", "--yes"), ("stamp", "head")))
    finally:
        (place / what).chmod(0o755)
    assert applied(sql, database) == ["002_b"]


@pytest.mark.skipif(not permissions_count(), reason="root may read everything")
def test_e05_a_file_that_may_not_be_read(place: Path, sql: Path) -> None:
    database = sqlite_database(place / "x.db")
    applied(sql, database)
    (place / "x.db").chmod(0)
    refused(database.url, sql, "PERMISSION_DENIED", 1)


# PostgreSQL. The server of the tests listens on a socket and trusts; where that is in the way, it is told otherwise.


def with_parts(
    url: str, *, user: str | None = None, password: str = "", name: str | None = None, query: str = ""
) -> str:
    """The URL of the test server with another user, database or option."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    user = parts.username or "" if user is None else user
    login = f"{user}{':' if password else ''}{password}@" if user else ""
    joined = "&".join(filter(None, (parts.query, query)))
    return urlunsplit((parts.scheme, f"{login}{place}", parts.path if name is None else f"/{name}", joined, ""))


def test_e06_no_such_database(base: Database, sql: Path) -> None:
    assert "nowhere" in refused(with_parts(base.url, name="nowhere"), sql, "CONNECTION_FAILED", 1)


def test_e06_no_such_role(base: Database, sql: Path) -> None:
    assert "nobody" in refused(with_parts(base.url, user="nobody"), sql, "CONNECTION_FAILED", 1)


def test_e06_no_server(sql: Path, tmp_path: Path) -> None:
    message = refused("postgresql://u:s3cr3t@127.0.0.1:1/d", sql, "CONNECTION_FAILED", 1)
    assert "refused" in message and "127.0.0.1" in message and "s3cr3t" not in message
    message = refused(f"postgresql://u:s3cr3t@/d?host={tmp_path}", sql, "CONNECTION_FAILED", 1)
    assert str(tmp_path) in message and "s3cr3t" not in message


def test_e06_no_such_host(sql: Path) -> None:
    result = on("--json", "status", url="postgresql://u:s3cr3t@no-such-host.invalid/d", sql=sql)
    assert (result.exit_code, result.json()["error"]["code"]) == (1, "CONNECTION_FAILED")
    assert "no-such-host.invalid" in result.stdout and "s3cr3t" not in result.stdout


def test_e08_a_password_on_the_command_line_is_warned_of(sql: Path) -> None:
    url = "postgresql://u:s3cr3t@127.0.0.1:1/d"
    warned = on("status", url=url, sql=sql)
    assert "warning: a password on the command line" in warned.stderr and "s3cr3t" not in warned.stderr
    elsewhere = maxwell_db("status", sql=sql, env={"DATABASE_URL": url})
    assert elsewhere.exit_code == 1 and "warning" not in elsewhere.stderr


@contextmanager
def password_wanted(base: Database, role: str, password: str) -> Iterator[None]:
    """A role to which the server does not let anybody in without its password."""
    path = Path(base.value("SHOW hba_file"))
    if not os.access(path, os.W_OK):
        pytest.skip("the server's pg_hba.conf cannot be written here")
    before = path.read_text()
    with closing(psycopg2.connect(base.url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f'CREATE ROLE "{role}" LOGIN PASSWORD %s', (password,))
    path.write_text(f"local all {role} scram-sha-256\nhost all {role} all scram-sha-256\n{before}")
    try:
        run_as_admin(base.url, "SELECT pg_reload_conf()")
        yield
    finally:
        path.write_text(before)
        run_as_admin(base.url, "SELECT pg_reload_conf()", f'DROP OWNED BY "{role}"', f'DROP ROLE "{role}"')


def test_e06_the_password_is_wrong(base: Database, sql: Path, tmp_path: Path) -> None:
    role = f"keeper_{os.getpid()}"
    with password_wanted(base, role, "right/p@ss#w?rd"), own_schema(base, "keeper") as schema:
        run_as_admin(base.url, f"GRANT ALL ON SCHEMA keeper TO {role}")
        wrong = with_parts(schema.url, user=role, password="wr0ng-one")
        message = refused(wrong, sql, "CONNECTION_FAILED", 1, commands=(("status",), ("apply",), ("verify",)))
        assert "password authentication failed" in message and "wr0ng" not in message
        without = with_parts(schema.url, user=role)
        assert "password" in refused(without, sql, "CONNECTION_FAILED", 1, commands=(("status",),))
        # Escaped in the URL, or outside of it, the right one is let in, and shown by nobody.
        right = with_parts(schema.url, user=role, password=quote("right/p@ss#w?rd", safe=""))
        passfile = tmp_path / "pgpass"
        passfile.write_text("*:*:*:*:right/p@ss#w?rd\n")
        passfile.chmod(0o600)
        for url, env in (
            (right, {}),
            (without, {"PGPASSWORD": "right/p@ss#w?rd"}),
            (without, {"PGPASSFILE": str(passfile)}),
        ):
            for command in (("apply",), ("status",), ("verify",), ("rollback", "--yes")):
                result = on("--json", *command, url=url, sql=sql, env=env)
                assert result.exit_code == 0, result.stdout
                assert "right" not in result.stdout + result.stderr and "p%40ss" not in result.stdout
        failing = Folder(tmp_path / "failing", "postgres")
        failing.pair("001_a", "SELECT 1 / 0;\n")
        result = on("apply", url=right, sql=failing.root)
        assert result.exit_code == 1 and "right" not in result.stderr


PARTS = re.compile("s3cr|r3t", re.IGNORECASE)
UNREADABLE = [
    "postgresql://u:s3cr/r3t@h/d",
    "postgresql://u:s3cr#r3t@h/d",
    "postgresql://u:s3cr?r3t@h/d",
    "postgresql://u:12?s3cr@h/d",
    "postgresql://u:12/s3cr@h/d",
    "postgresql://u:12#s3cr@h/d",
    "postgresql://u:s3cr[r3t@h/d",
    "postgresql://u:s3cr]r3t@h/d",
    "postgresql://u:s3cr%zzr3t@h/d",
    "postgresql://u:s3cr%r3t@h/d",
    "postgresql://u:s3cr r3t@h/d",
    "postgresql:/u:s3cr@h/d",
    "postgresql:u:s3cr@h/d",
    "u:s3cr@h/d",
    "u:s3cr@h:5432/d",
    "postgresql//u:s3cr@h/d",
    "postgresq://u:s3cr@h/d",
    "mysql://u:s3cr@h/d",
    "sqlite://u:s3cr@h/d",
    "postgresql://u:s3cr@h:port/d",
    "postgresql://u:s3cr@h/d?nonsense=1",
    "postgresql://u:s3cr@h/d?sslmode",
]


@pytest.mark.parametrize("url", UNREADABLE)
def test_e07_nothing_of_a_password_is_said(url: str, sql: Path, tmp_path: Path) -> None:
    for command in (("status",), ("apply",), ("verify",)):
        for result in (on("-v", *command, url=url, sql=sql), on("--json", *command, url=url, sql=sql)):
            assert result.exit_code in (1, 2)
            assert not PARTS.search(result.stdout + result.stderr), result
    result = maxwell_db("--json", "status", sql=sql, env={"DATABASE_URL": url})
    assert result.exit_code in (1, 2) and not PARTS.search(result.stdout)
    (tmp_path / "yoyo.ini").write_text(f"[maxwell-db]\ndatabase = {url.replace('%', '%%')}\n")
    result = maxwell_db("status", sql=sql, cwd=tmp_path)
    assert result.exit_code in (1, 2) and not PARTS.search(result.stderr)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cr%2Fr3t@127.0.0.1:1/d",
        "postgresql://u:s3cr@r3t@127.0.0.1:1/d",
        "postgresql://:s3cr@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=u&password=s3cr",
        "postgresql://127.0.0.1:1/d?PASSWORD=s3cr&user=kim",
        "postgresql://127.0.0.1:1/d?password=%73%33cr%20s3cr",
        "postgresql://127.0.0.1:1/d?%70assword=s3cr",
        "postgresql://u:s3cr@127.0.0.1:1,127.0.0.1:2/d",
        "postgresql://u@127.0.0.1:1/d?sslpassword=s3cr",
    ],
)
def test_e07_nor_when_the_url_can_be_read(url: str, sql: Path) -> None:
    for command in COMMANDS:
        for result in (on("-v", *command, url=url, sql=sql), on("--json", *command, url=url, sql=sql)):
            assert result.exit_code in (1, 2)
            assert not PARTS.search(result.stdout + result.stderr), result


@pytest.mark.parametrize(
    "arguments",
    [
        ["postgresql://u:s3cr@h/d"],
        ["status", "postgresql://u:s3cr@h/d"],
        ["apply", "postgresql://u:s3cr@h/d"],
        ["stamp", "postgresql://u:s3cr@r3t@h/d"],
        ["apply", "--sql", "postgresql://u:s3cr@h/d"],
        ["status", "--config", "postgresql://u:s3cr@h/d"],
        ["apply", "--lock-wait", "postgresql://u:s3cr@h/d"],
        ["verify", "--checks", "postgresql://u:s3cr@h/d"],
        ["verify", "--only", "postgresql://u:s3cr@h/d"],
        ["--database=postgresql://u:s3cr@h/d", "--nonsense"],
    ],
)
def test_e07_nor_when_the_url_stands_in_the_wrong_place(arguments: list[str], sql: Path, place: Path) -> None:
    database = sqlite_database(place / "x.db")
    applied(sql, database)
    given = [] if "--sql" in arguments or arguments[0] == "verify" else ["--sql", str(sql)]
    for more in ([], ["--json"]):
        result = maxwell_db("-d", database.url, *given, *more, *arguments, sql=None)
        assert result.exit_code in (1, 2), result
        assert not PARTS.search(result.stdout + result.stderr), result


@pytest.mark.parametrize("name", ["public; DROP TABLE victim", 'x"; DROP TABLE victim; --', "nowhere", "", "a,b"])
def test_e10_a_schema_that_is_not_there(base: Database, sql: Path, name: str) -> None:
    with own_schema(base, f"e{next(_numbers)}"):
        run_as_admin(base.url, "CREATE TABLE IF NOT EXISTS public.victim (id INTEGER)")
        refused(with_parts(base.url, query=f"schema={quote(name, safe='')}"), sql, "NO_SUCH_SCHEMA", 2)
        assert base.value("SELECT count(*) FROM victim") == 0
        run_as_admin(base.url, "DROP TABLE public.victim")


@pytest.mark.parametrize("name", ["My Schema", "Zürich", "a-b;c", "select", "x%41"])
def test_e10_a_schema_with_an_odd_name(base: Database, sql: Path, name: str) -> None:
    run_as_admin(base.url, f'CREATE SCHEMA "{name}"')
    try:
        url = with_parts(base.url, query=f"schema={quote(name, safe='')}")
        for command in (
            ["apply"],
            ["status", "--exit-code"],
            ["verify"],
            ["history"],
            ["rollback", "--yes"],
            ["apply"],
        ):
            result = on("--json", *command, url=url, sql=sql)
            assert result.exit_code == 0, result.stdout
        rows = base.query("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information)'")
        assert {schema for schema, _ in rows} == {name}
        assert {"t_001_a", "_yoyo_migration", "_maxwell_ledger"} <= {table for _, table in rows}
    finally:
        run_as_admin(base.url, f'DROP SCHEMA "{name}" CASCADE')


def test_e11_the_search_path_of_the_database(make_database: Callable[[str], Database], sql: Path) -> None:
    database = make_database("postgres")
    name = urlsplit(database.url).path[1:]
    run_as_admin(database.url, "CREATE SCHEMA evil", f'ALTER DATABASE "{name}" SET search_path = evil, public')
    url = with_parts(database.url, query="schema=public")
    assert on("apply", url=url, sql=sql).exit_code == 0
    assert database.tables() == {"t_001_a"}
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'evil'") == []
    status = on("--json", "status", url=url, sql=sql).json()
    assert status["pending"] == 0


def test_e11_a_file_that_sets_the_search_path(base: Database, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "migrations", "postgres")
    with own_schema(base, "good") as good, own_schema(base, "evil") as evil:
        folder.pair("001_a", "SET search_path TO evil;\nCREATE TABLE a (id INTEGER);\n", "DROP TABLE evil.a;\n")
        folder.pair("002_b")
        assert applied(folder.root, good) == ["001_a", "002_b"]
        assert (own_tables(evil), marks(evil)) == ({"a"}, [])
        assert (own_tables(good), marks(good)) == ({"t_002_b"}, ["001_a", "002_b"])


def test_e12_a_role_that_may_not_create(base: Database, sql: Path) -> None:
    role = f"weak_{os.getpid()}"
    run_as_admin(base.url, f"CREATE ROLE {role} LOGIN")
    try:
        with own_schema(base, "strict") as schema:
            run_as_admin(base.url, f"GRANT USAGE ON SCHEMA strict TO {role}")
            url = with_parts(schema.url, user=role)
            assert on("status", url=url, sql=sql).exit_code == 0
            before = footprint(schema)
            for command in (["apply"], ["stamp", "head", "--force"]):
                result = on(*command, url=url, sql=sql)
                assert (result.exit_code, result.stdout) == (1, "")
                assert "permission denied" in result.stderr and "break-lock" not in result.stderr
                assert "Traceback" not in result.stderr
            assert footprint(schema) == before
            applied(sql, schema)
            result = on("status", url=url, sql=sql)
            assert result.exit_code == 1 and "permission denied" in result.stderr
            run_as_admin(base.url, f"GRANT SELECT ON ALL TABLES IN SCHEMA strict TO {role}")
            assert on("--json", "status", url=url, sql=sql).json()["pending"] == 0
            assert on("verify", url=url, sql=sql).exit_code == 0
    finally:
        run_as_admin(base.url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("query", ["nonsense=1", "sslmode=perhaps", "port=x", "connect_timeout=soon"])
def test_e13_an_option_that_libpq_does_not_know(base: Database, sql: Path, query: str) -> None:
    for command in COMMANDS:
        result = on("--json", *command, url=with_parts(base.url, query=query), sql=sql)
        assert result.exit_code in (1, 2), result.stdout
        assert result.json()["error"]["code"] in ("BAD_URL", "CONNECTION_FAILED")


@contextmanager
def plain_server() -> Iterator[int]:
    """What a PostgreSQL without TLS answers to whoever asks for TLS: 'N'."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(8)
                    connection.sendall(b"N")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_e13_a_server_without_tls(sql: Path, mode: str) -> None:
    with plain_server() as port:
        url = f"postgresql://u:s3cr3t@127.0.0.1:{port}/d?sslmode={mode}"
        message = refused(url, sql, "CONNECTION_FAILED", 1, commands=(("status",), ("apply",)))
    assert "SSL" in message and "s3cr3t" not in message


def test_a14_a_server_that_goes_away_is_one_line(base: Database, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "migrations", "postgres")
    folder.pair("001_a", "CREATE TABLE a (id INTEGER);\nSELECT pg_terminate_backend(pg_backend_pid());\n")
    with own_schema(base, "gone") as schema:
        result = maxwell_db_process("apply", database=schema, sql=folder.root, cwd=tmp_path)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "Traceback" not in result.stderr and "terminat" in result.stderr
        assert own_tables(schema) == set()
        folder.pair("001_a")
        assert applied(folder.root, schema) == ["001_a"]
