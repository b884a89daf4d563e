"""A folder of migrations is read strictly: whatever two tools, or two machines, would take differently is refused.

The tests named ``test_b...`` are the rows of a table of faults that other tools meet in silence.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.domain.migration import Dialect, Migration
from runner.errors import FolderError, UsageError
from runner.sources.folder import read_folder
from runner.sources.place import dialect_folder
from tests.support.databases import Database, drop_postgres_database, postgres_database, sqlite_database
from tests.support.folders import (
    Folder,
    all_tables,
    applied,
    assert_failed,
    assert_refused,
    footprint,
    marks,
    own_schema,
    own_tables,
    permissions_count,
    states,
)
from tests.support.tool import maxwell_db, maxwell_db_process, yoyo

_numbers = itertools.count()
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgres")
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def pg_base(pg_url: str) -> Iterator[Database]:
    """A database in which each test has a schema of its own."""
    base = postgres_database(pg_url, f"folders_{os.getpid()}")
    yield base
    drop_postgres_database(pg_url, base)


@pytest.fixture
def database(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of each dialect in turn."""
    if dialect == "sqlite":
        yield sqlite_database(tmp_path / "folder.db")
        return
    with own_schema(request.getfixturevalue("pg_base"), f"s{next(_numbers)}") as schema:
        yield schema


@pytest.fixture
def folder(dialect: Dialect, tmp_path: Path) -> Folder:
    return Folder(tmp_path / "migrations", dialect)


def sqlite_folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "migrations", "sqlite")


# The rows of the table of faults.


@pytest.mark.parametrize("which", [".sql", ".rollback.sql"])
def test_b01_an_applied_file_was_edited(folder: Folder, database: Database, which: str) -> None:
    folder.pair(
        "001_a", "CREATE TABLE a (id INTEGER);\n\nCREATE INDEX ai ON a (id);\n", "DROP INDEX ai;\n\nDROP TABLE a;"
    )
    folder.pair("002_b")
    assert applied(folder.root, database, "001_a") == ["001_a"]
    path = folder.path / f"001_a{which}"
    original = path.read_bytes()
    path.write_bytes(original.replace(b"a", b"b", 1) if which == ".rollback.sql" else original.replace(b"ai", b"bi"))
    line = 1 if which == ".rollback.sql" else 2
    assert_refused(
        folder.root, database, "CHECKSUM_MISMATCH", 6, file=path, line=line, commands=(("apply",), ("apply", "002_b"))
    )
    assert states(folder.root, database) == {"001_a": "changed", "002_b": "pending"}
    assert maxwell_db("status", "--exit-code", database=database, sql=folder.root).exit_code == 6
    path.write_bytes(original)
    assert applied(folder.root, database) == ["002_b"]


def test_b01_a_change_in_comments_alone_is_cosmetic(folder: Folder, database: Database) -> None:
    folder.pair("001_a", "CREATE TABLE a (id INTEGER);\n", "DROP TABLE a;\n")
    applied(folder.root, database)
    folder.write("001_a.sql", "-- Why there is an a.\nCREATE TABLE a (\n    id INTEGER  -- a number\n);\n")
    assert states(folder.root, database) == {"001_a": "cosmetic"}
    folder.pair("002_b")
    assert applied(folder.root, database) == ["002_b"]


def test_b02_an_applied_file_is_gone(folder: Folder, database: Database) -> None:
    first, second = folder.pair("001_a"), folder.pair("002_b")
    applied(folder.root, database)
    folder.pair("003_c")
    texts = [(path, path.read_bytes()) for path in (second, folder.path / "002_b.rollback.sql")]
    folder.remove("002_b")
    assert first.exists()
    assert_refused(folder.root, database, "MIGRATION_MISSING", 6, commands=(("apply",),))
    assert states(folder.root, database) == {"001_a": "applied", "002_b": "missing", "003_c": "pending"}
    for path, text in texts:
        path.write_bytes(text)
    assert applied(folder.root, database) == ["003_c"]


def test_b02_the_way_back_is_in_the_database(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    folder.pair("002_b")
    applied(folder.root, database)
    folder.remove("002_b")
    result = maxwell_db("rollback", "001_a", "--yes", database=database, sql=folder.root)
    assert result.exit_code == 0, result.stderr
    assert own_tables(database) == {"t_001_a"}


def test_b03_an_applied_file_was_renamed(folder: Folder, database: Database) -> None:
    folder.pair("001_a", "CREATE TABLE a (id INTEGER);\n", "DROP TABLE a;\n")
    applied(folder.root, database)
    folder.remove("001_a")
    renamed = folder.pair("002_a", "CREATE TABLE a (id INTEGER);\n", "DROP TABLE a;\n")
    assert_refused(folder.root, database, "MIGRATION_RENAMED", 6, file=renamed, commands=(("apply",),))
    folder.remove("002_a")
    folder.pair("001_a", "CREATE TABLE a (id INTEGER);\n", "DROP TABLE a;\n")
    assert applied(folder.root, database) == []


def test_b04_a_late_file_sorts_before_an_applied_one(folder: Folder, database: Database) -> None:
    folder.pair("002_b")
    applied(folder.root, database)
    late = folder.pair("001_a")
    assert_refused(folder.root, database, "OUT_OF_ORDER", 6, file=late, commands=(("apply",),))
    assert states(folder.root, database) == {"001_a": "out-of-order", "002_b": "applied"}
    assert applied(folder.root, database, "--allow-out-of-order") == ["001_a"]
    assert marks(database) == ["001_a", "002_b"]


def test_b05_the_rollback_file_is_missing(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    path = folder.pair("002_b")
    (folder.path / "002_b.rollback.sql").unlink()
    assert_refused(folder.root, database, "MISSING_ROLLBACK", file=path)
    assert all_tables(database) == set()
    folder.pair("002_b")
    assert applied(folder.root, database) == ["001_a", "002_b"]


def test_b05_irreversible_is_said_in_the_file(folder: Folder, database: Database) -> None:
    path = folder.pair("001_a", header="-- irreversible: the old ids are gone\n")
    rollback = folder.path / "001_a.rollback.sql"
    assert_refused(folder.root, database, "BAD_DIRECTIVE", file=rollback)
    rollback.unlink()
    assert applied(folder.root, database) == ["001_a"]
    assert_refused(folder.root, database, "IRREVERSIBLE", 1, file=path, commands=(("rollback", "--yes"),))
    assert "the old ids are gone" in maxwell_db("rollback", "--yes", database=database, sql=folder.root).stderr


def test_b06_a_rollback_that_undoes_a_part_shows_at_the_next_apply(folder: Folder, database: Database) -> None:
    apply = "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n"
    path = folder.pair("001_a", apply, "DROP TABLE b;\n")
    applied(folder.root, database)
    assert maxwell_db("rollback", "--yes", database=database, sql=folder.root).exit_code == 0
    before = footprint(database)
    result = maxwell_db("apply", database=database, sql=folder.root)
    assert result.exit_code == 1
    assert f"{path}:1: " in result.stderr and "already exists" in result.stderr
    assert (own_tables(database), marks(database)) == ({"a"}, [])
    if database.dialect == "postgres":
        assert footprint(database) == before
    database.script("DROP TABLE a;")
    folder.pair("001_a", apply, "DROP TABLE b;\nDROP TABLE a;\n")
    assert applied(folder.root, database) == ["001_a"]


def test_b07_a_rollback_without_its_migration(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    path = folder.write("002_b.rollback.sql", "DROP TABLE b;\n")
    assert_refused(folder.root, database, "ORPHAN_ROLLBACK", file=path)
    path.unlink()
    assert applied(folder.root, database) == ["001_a"]


@pytest.mark.parametrize("text", ["", "\n \n", "-- only a sentence\n", "/* one */ ; -- two\n;;", "-- version: 1.0\n;"])
@pytest.mark.parametrize("which", [".sql", ".rollback.sql"])
def test_b08_a_file_with_nothing_to_run(folder: Folder, database: Database, text: str, which: str) -> None:
    folder.pair("001_a")
    path = folder.write(f"001_a{which}", text)
    assert_refused(folder.root, database, "EMPTY_FILE", file=path, commands=(("apply",),))
    assert all_tables(database) == set()
    folder.pair("001_a")
    assert [item.id for item in read_folder(folder.path, folder.dialect)] == ["001_a"]


@pytest.mark.parametrize(
    "name",
    [
        "002_b.SQL",
        "002_b.Sql",
        "002_b.sql.bak",
        "002_b.sql~",
        "002_b.txt",
        "002_b",
        "README.md",
        "002 b.sql",
        "002_ü.sql",
        "-002.sql",
        "002_b.rollback.SQL",
        ".sql",
        ".002_b.sql",
        ".rollback.sql",
        "post-apply.sql",
        "__init__.py",
    ],
)
def test_b09_a_name_that_yoyo_passes_over(tmp_path: Path, name: str) -> None:
    folder, database = sqlite_folder(tmp_path), sqlite_database(tmp_path / "folder.db")
    folder.pair("001_a")
    path = folder.write(name, "CREATE TABLE b (id INTEGER);\n")
    code = "PYTHON_MIGRATION" if name.endswith(".py") else "UNEXPECTED_FILE"
    assert_refused(folder.root, database, code, file=path)
    assert not database.path or not database.path.exists()
    path.unlink()
    assert applied(folder.root, database) == ["001_a"]


def test_b09_a_folder_among_the_migrations(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    archive = folder.path / "archive"
    archive.mkdir()
    assert_refused(folder.root, database, "UNEXPECTED_FILE", file=archive)
    archive.rmdir()
    assert applied(folder.root, database) == ["001_a"]


@pytest.mark.parametrize("which", [".sql", ".rollback.sql"])
def test_b10_byte_order_mark(folder: Folder, database: Database, which: str) -> None:
    path = folder.pair("001_a").with_name(f"001_a{which}")
    text = path.read_bytes()
    path.write_bytes(BOM + text)
    assert_refused(folder.root, database, "BAD_ENCODING", file=path, line=1)
    assert "byte order mark" in maxwell_db("apply", database=database, sql=folder.root).stderr
    path.write_bytes(text)
    assert applied(folder.root, database) == ["001_a"]


@pytest.mark.parametrize(
    ("header", "code", "line"),
    [
        (BOM + b"-- depends: 001_a\n", "BAD_ENCODING", 1),
        (b"/* why */\n-- depends: 001_a\n", "MISPLACED_DIRECTIVE", 2),
        (b"-- why\n\n/* why */ -- depends: 001_a\n", "MISPLACED_DIRECTIVE", 3),
        (b";\n-- transactional: false\n", "MISPLACED_DIRECTIVE", 2),
        (b"-- why\n-- Depends: 001_a\n", "UNKNOWN_DIRECTIVE", 2),
        (b"-- TRANSACTIONAL: false\n", "UNKNOWN_DIRECTIVE", 1),
        (b"-- depend: 001_a\n", "UNKNOWN_DIRECTIVE", 1),
    ],
)
def test_b11_a_directive_that_would_be_lost(
    folder: Folder, database: Database, header: bytes, code: str, line: int
) -> None:
    folder.pair("001_a")
    path = folder.pair("002_b")
    text = path.read_bytes()
    path.write_bytes(header + text)
    assert_refused(folder.root, database, code, file=path, line=line)
    path.write_bytes(text)
    assert applied(folder.root, database) == ["001_a", "002_b"]


@pytest.mark.parametrize("which", [".sql", ".rollback.sql"])
@pytest.mark.parametrize(("break_", "line"), [(b"\r\n", 3), (b"\r", 3)])
def test_b12_carriage_return(folder: Folder, database: Database, which: str, break_: bytes, line: int) -> None:
    text = b"-- two lines\n\nINSERT INTO a VALUES ('one" + break_ + b"two');\n"
    folder.pair("001_a", "CREATE TABLE a (x TEXT);\n", "DROP TABLE a;\n")
    folder.pair("002_b", "INSERT INTO a VALUES ('b');\n", "DELETE FROM a;\n")
    path = folder.write(f"002_b{which}", text)
    assert_refused(folder.root, database, "BAD_ENCODING", file=path, line=line)
    path.write_bytes(text.replace(break_, b"\n"))
    assert applied(folder.root, database) == ["001_a", "002_b"]
    if which == ".sql":
        assert database.value("SELECT x FROM a") == "one\ntwo"


@pytest.mark.parametrize(
    "data",
    [
        "-- why\nINSERT INTO a VALUES ('Zürich');\n".encode("latin-1"),
        "-- why\nINSERT INTO a VALUES ('Zürich');\n".encode("utf-16"),
        "-- why\nINSERT INTO a VALUES ('Zürich');\n".encode("utf-16-le"),
        b"-- why\nINSERT INTO a VALUES ('\xed\xa0\x80');\n",
    ],
    ids=["latin-1", "utf-16", "utf-16 without a mark", "a surrogate"],
)
def test_b13_another_encoding(folder: Folder, database: Database, data: bytes) -> None:
    folder.pair("001_a", "CREATE TABLE a (x TEXT);\n", "DROP TABLE a;\n")
    path = folder.write("002_b.sql", data)
    folder.write("002_b.rollback.sql", "DELETE FROM a;\n")
    result = maxwell_db("--json", "apply", database=database, sql=folder.root)
    error = result.json()["error"]
    assert (result.exit_code, error["code"], error["file"]) == (2, "BAD_ENCODING", str(path))
    assert error["line"] == (2 if data.startswith(b"-- why\n") else 1)
    assert "byte" in error["message"] or "UTF-16" in error["message"]
    assert all_tables(database) == set()
    folder.write("002_b.sql", "-- why\nINSERT INTO a VALUES ('Zürich');\n")
    assert applied(folder.root, database) == ["001_a", "002_b"]


def test_b14_utf8_under_an_ascii_locale(folder: Folder, database: Database, tmp_path: Path) -> None:
    folder.pair("001_a", "-- Zürich\nCREATE TABLE a (x TEXT);\nINSERT INTO a VALUES ('Zürich ☃');\n", "DROP TABLE a;\n")
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = maxwell_db_process("--json", "apply", database=database, sql=folder.root, env=ascii_locale, cwd=tmp_path)
    assert result.exit_code == 0, result.stdout + result.stderr
    assert database.value("SELECT x FROM a") == "Zürich ☃"
    folder.pair("002_b", "INSERT INTO a VALUES ('ü'), ('☃', 1);\n", "DELETE FROM a;\n")
    for more in ((), ("--json",)):
        failed = maxwell_db_process(*more, "apply", database=database, sql=folder.root, env=ascii_locale, cwd=tmp_path)
        assert failed.exit_code == 1
        assert "Traceback" not in failed.stderr and "002_b.sql" in failed.stdout + failed.stderr
    assert failed.json()["error"]["statement"].startswith("INSERT INTO a")


@pytest.mark.parametrize("which", [".sql", ".rollback.sql"])
def test_b15_nul_byte(folder: Folder, database: Database, which: str) -> None:
    folder.pair("001_a")
    path = folder.path / f"001_a{which}"
    text = path.read_bytes()
    path.write_bytes(b"-- why\n" + text + b"-- \0\n")
    assert_refused(folder.root, database, "BAD_ENCODING", file=path, line=3)
    path.write_bytes(text)
    assert applied(folder.root, database) == ["001_a"]


def test_b16_one_id_in_two_places(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    stray = folder.root / "001_a.sql"
    stray.write_text("CREATE TABLE another (id INTEGER);\n")
    assert_refused(folder.root, database, "UNEXPECTED_FILE", file=stray)
    stray.unlink()
    assert applied(folder.root, database) == ["001_a"]


def test_b17_a_cycle_of_dependencies(folder: Folder, database: Database) -> None:
    first = folder.pair("001_a", header="-- depends: 002_b\n")
    folder.pair("002_b", header="-- depends: 001_a\n")
    result = maxwell_db("apply", database=database, sql=folder.root)
    as_json = maxwell_db("--json", "apply", database=database, sql=folder.root)
    error = as_json.json()["error"]
    assert (result.exit_code, error["code"]) == (2, "DEPENDENCY_CYCLE")
    assert "001_a" in error["message"] and "002_b" in error["message"]
    assert "Traceback" not in result.stderr and all_tables(database) == set()
    folder.pair("001_a")
    assert first.exists() and applied(folder.root, database) == ["001_a", "002_b"]


def test_b17_a_migration_that_depends_on_itself(folder: Folder, database: Database) -> None:
    path = folder.pair("001_a", header="-- why\n-- depends: 001_a\n")
    assert_refused(folder.root, database, "DEPENDENCY_CYCLE", file=path, line=2)
    folder.pair("001_a")
    assert applied(folder.root, database) == ["001_a"]


def test_b18_a_dependency_that_is_not_there(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    path = folder.pair("002_b", header="-- why\n-- depends: 001_a nope\n")
    assert_refused(folder.root, database, "UNKNOWN_DEPENDENCY", file=path, line=2)
    folder.pair("002_b", header="-- depends: 001_a\n")
    assert applied(folder.root, database) == ["001_a", "002_b"]


def test_b19_a_migration_that_fails_stops_the_run(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    path = folder.pair("002_b", "CREATE TABLE b (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    folder.pair("003_c")
    result = maxwell_db("--json", "apply", database=database, sql=folder.root)
    answer = result.json()
    assert (result.exit_code, answer["error"]["code"]) == (1, "STATEMENT_FAILED")
    assert (answer["error"]["file"], answer["error"]["line"]) == (str(path), 2)
    assert [each["id"] for each in answer["applied"]] == ["001_a"]
    assert (own_tables(database), marks(database)) == ({"t_001_a"}, ["001_a"])
    folder.pair("002_b")
    assert applied(folder.root, database) == ["002_b", "003_c"]


def test_b20_a_target_means_all_before_it(folder: Folder, database: Database) -> None:
    """Without any ``-- depends:`` too, where yoyo would apply the named one alone."""
    for id in ("001_a", "002_b", "003_c", "004_d"):
        folder.pair(id)
    assert applied(folder.root, database, "003_c") == ["001_a", "002_b", "003_c"]
    assert maxwell_db("rollback", "001_a", "--yes", database=database, sql=folder.root).exit_code == 0
    assert (own_tables(database), marks(database)) == ({"t_001_a"}, ["001_a"])
    assert maxwell_db("stamp", "003_c", "--force", database=database, sql=folder.root).exit_code == 0
    assert marks(database) == ["001_a", "002_b", "003_c"]


@pytest.mark.parametrize(("first", "second"), [("2_b", "10_a"), ("9_a", "10_b"), ("0099_a", "100_b")])
def test_b21_names_that_do_not_sort_as_their_numbers(
    folder: Folder, database: Database, first: str, second: str
) -> None:
    folder.pair(first)
    folder.pair(second)
    in_order = sorted([first, second])
    if int(in_order[0].split("_")[0]) < int(in_order[1].split("_")[0]):
        assert applied(folder.root, database) == in_order
        return
    assert_refused(folder.root, database, "BAD_ORDER", file=folder.path / f"{in_order[1]}.sql")
    folder.remove(first)
    folder.pair(f"{int(first.split('_')[0]):03}_b")
    assert len(applied(folder.root, database)) == 2


def test_b21_names_that_do_not_sort_as_they_depend(folder: Folder, database: Database) -> None:
    path = folder.pair("a_first", header="-- depends: b_second\n")
    folder.pair("b_second")
    assert_refused(folder.root, database, "BAD_ORDER", file=path)
    folder.remove("a_first")
    folder.pair("c_third", header="-- depends: b_second\n")
    assert applied(folder.root, database) == ["b_second", "c_third"]


def test_b22_the_folder_is_missing(folder: Folder, database: Database) -> None:
    assert_refused(folder.root, database, "NO_SUCH_FOLDER")
    folder.pair("001_a")
    assert applied(folder.root, database) == ["001_a"]


@pytest.mark.parametrize("name", ["mig[1]", "mig*", "mig?", "{a,b}", "a b", "Zürich", "-x"])
def test_b22_glob_characters_in_the_name(database: Database, dialect: Dialect, tmp_path: Path, name: str) -> None:
    folder, decoy = Folder(tmp_path / name, dialect), Folder(tmp_path / "mig1", dialect)
    decoy.pair("000_decoy")
    assert_refused(folder.root, database, "NO_SUCH_FOLDER", commands=(("apply",),))
    folder.pair("001_a")
    assert applied(folder.root, database) == ["001_a"]


def test_b22_an_empty_folder(folder: Folder, database: Database) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / ".gitkeep").touch()
    assert_refused(folder.root, database, "NO_MIGRATIONS")
    folder.pair("001_a")
    assert applied(folder.root, database) == ["001_a"]


def test_b23_two_dialects_in_one_process(tmp_path: Path, pg_base: Database) -> None:
    """The same names in both folders; yoyo's registry of ids let the second spoil the order of the first."""
    ids = ["000_b", "001_a", "002_c"]
    databases = [sqlite_database(tmp_path / "both.db")]
    with own_schema(pg_base, "both") as schema:
        databases.append(schema)
        for database in databases:
            folder = Folder(tmp_path / "migrations", "sqlite" if database.path else "postgres")
            for before, id in itertools.pairwise(["", *ids]):
                depends = f"-- depends: {before}\n" if before else ""
                table = f"CREATE TABLE t{id} (id INTEGER);\n"
                alter = f"ALTER TABLE t{before} RENAME TO t{id};\n"
                folder.pair(id, alter if before else table, f"DROP TABLE t{id};\n", header=depends)
        for database in [*databases, *databases]:
            assert applied(folder.root, database) in (ids, [])
        assert [own_tables(database) for database in databases] == [{"t002_c"}, {"t002_c"}]


@pytest.mark.parametrize(
    "line",
    [
        "-- transactional: off",
        "-- transactional: yes",
        "-- transactional: 0",
        "-- transactional:",
        "-- depends:",
        "-- version: one",
        "-- version: 1",
        "-- version: v1.2.0",
        "-- version: 1.2.3.4.5",
        "-- version: 1.2.0 or so",
        "-- revision: two words",
        "-- irreversible:",
        "-- dialects: mysql",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_b24_a_directive_with_a_bad_value(tmp_path: Path, dialect: Dialect, line: str) -> None:
    folder = Folder(tmp_path / "migrations", dialect)
    path = folder.pair("001_a", header=f"-- why\n{line}\n")
    if dialect == "sqlite":
        assert_refused(folder.path, sqlite_database(tmp_path / "x.db"), "BAD_DIRECTIVE", file=path, line=2)
    with pytest.raises(FolderError) as refused:
        read_folder(folder.path, dialect)
    assert (refused.value.code, refused.value.line) == ("BAD_DIRECTIVE", 2)
    folder.pair("001_a")
    assert len(read_folder(folder.path, dialect)) == 1


def test_b25_a_check_that_fails_in_the_gate_takes_the_migration_back(
    folder: Folder, database: Database, tmp_path: Path
) -> None:
    """Where yoyo's hook would run after the commit, keep the migration and never be tried again."""
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "no-negative.sql").write_text(
        "-- check: no-negative\n-- severity: error\n-- requires: a\n-- Numbers are not negative.\n"
        "SELECT 'a' AS table_name, x AS row_key, 'negative' AS detail FROM a WHERE x < 0\n"
    )
    folder.pair("001_a", "CREATE TABLE a (x INTEGER);\n", "DROP TABLE a;\n")
    gate = ("--gate", "--checks", str(checks))
    assert applied(folder.root, database, *gate) == ["001_a"]
    folder.pair("002_b", "INSERT INTO a VALUES (-1);\n", "DELETE FROM a;\n")
    for _ in range(2):  # and it is tried again by the next run
        result = maxwell_db("--json", "apply", *gate, database=database, sql=folder.root)
        answer = result.json()
        assert (result.exit_code, answer["error"]["code"], answer["applied"]) == (4, "GATE_CLOSED", [])
        assert (database.query("SELECT * FROM a"), marks(database)) == ([], ["001_a"])
    folder.pair("002_b", "INSERT INTO a VALUES (1);\n", "DELETE FROM a;\n")
    assert applied(folder.root, database, *gate) == ["002_b"]


@pytest.mark.parametrize("command", ["apply", "rollback", "stamp"])
def test_b26_there_is_no_force(folder: Folder, database: Database, command: str) -> None:
    folder.pair("001_a")
    assert_refused(folder.root, database, "USAGE", commands=((command, "--force"), ("--force", command)))


@pytest.mark.parametrize("name", ["002_b.py", "conftest.py", "post-apply.py", ".hidden.py"])
def test_b27_python_is_not_executed(folder: Folder, database: Database, tmp_path: Path, name: str) -> None:
    folder.pair("001_a")
    witness = tmp_path / "witness"
    path = folder.write(name, f"open({str(witness)!r}, 'w')\nsteps = []\n")
    assert_refused(folder.root, database, "PYTHON_MIGRATION", file=path)
    assert not witness.exists()
    path.unlink()
    assert applied(folder.root, database) == ["001_a"]


@pytest.mark.parametrize("name", ["002_b.sql", "002_b.rollback.sql", "link.txt"])
def test_b27_links_are_not_followed(folder: Folder, database: Database, tmp_path: Path, name: str) -> None:
    folder.pair("001_a")
    folder.pair("002_b")
    outside = tmp_path / "outside.sql"
    outside.write_text("DROP TABLE t_001_a;\n")
    path = folder.path / name
    path.unlink(missing_ok=True)
    path.symlink_to(outside)
    assert_refused(folder.root, database, "UNEXPECTED_FILE", file=path)
    path.unlink()
    folder.pair("002_b")
    assert applied(folder.root, database) == ["001_a", "002_b"]


def test_b27_what_is_neither_file_nor_folder(tmp_path: Path) -> None:
    folder = sqlite_folder(tmp_path)
    folder.pair("001_a")
    os.mkfifo(folder.path / "002_b.sql")
    with pytest.raises(FolderError, match="not a regular file"):
        read_folder(folder.path, "sqlite")


def test_hidden_files_are_nobodys_business(folder: Folder, database: Database) -> None:
    folder.pair("001_a")
    for name in (".gitkeep", ".DS_Store", ".001_a.sql.swp"):
        folder.write(name, b"\0\1\2")
    (folder.path / ".git").mkdir()
    assert applied(folder.root, database) == ["001_a"]


# The grammar of the header.


def header_of(tmp_path: Path, text: str, dialect: Dialect = "sqlite") -> Migration:
    """The one migration of a folder, whose header is ``text``."""
    folder = Folder(tmp_path / "migrations", dialect)
    folder.pair("000_a")
    folder.pair("001_b", header=text)
    return read_folder(folder.path, dialect)[-1]


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("-- depends: 000_a\n", "depends", ("000_a",)),
        ("-- depends:000_a\n", "depends", ("000_a",)),  # yoyo takes it so, and therefore so do we
        ("--depends : 000_a\n", "depends", ("000_a",)),
        ("   --   depends:\t000_a  \n", "depends", ("000_a",)),
        ("-- depends: 000_a\n-- depends: 000_a\n", "depends", ("000_a", "000_a")),
        ("\n\n-- A sentence.\n\n-- depends: 000_a\n\n", "depends", ("000_a",)),
        ("-- transactional: false\n", "transactional", False),
        ("-- transactional: TRUE\n", "transactional", True),
        ("-- transactional:false\n", "transactional", False),
        ("-- version: 1.2\n", "version", "1.2"),
        ("-- version: 1.20.300\n", "version", "1.20.300"),
        ("-- revision: 005_add-timeline.b\n", "revision", "005_add-timeline.b"),
        ("-- dialects: sqlite\n", "dialect", "sqlite"),
        ("-- dialects: postgres, sqlite\n", "dialect", "sqlite"),
        ("-- expect-row-loss: a, b c\n", "expect_row_loss", frozenset({"a", "b", "c"})),
        ("-- A sentence: with a colon after two words.\n", "version", None),
        ("-- see https://example.org/a:b\n-- https://example.org\n", "version", None),
        ("--\n--\n-- version: 1.0\n--\n", "version", "1.0"),
        (
            "CREATE TABLE x (\n    id INTEGER, -- version: that of the row\n    y INTEGER -- depends: on id\n);\n",
            "depends",
            (),
        ),
    ],
)
def test_a_header_is_read(tmp_path: Path, text: str, attribute: str, value: object) -> None:
    assert getattr(header_of(tmp_path, text), attribute) == value


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("-- why\n-- note: prose\n", "UNKNOWN_DIRECTIVE", 2),
        ("-- versions: 1.0\n", "UNKNOWN_DIRECTIVE", 1),
        ("-- Version: 1.0\n", "UNKNOWN_DIRECTIVE", 1),
        ("-- expect_row_loss: a\n", "UNKNOWN_DIRECTIVE", 1),
        ("-- version: 1.0\n-- version: 1.0\n", "BAD_DIRECTIVE", 2),
        ("-- transactional: true\n\n-- transactional: false\n", "BAD_DIRECTIVE", 3),
        ("-- version:\n", "BAD_DIRECTIVE", 1),
        ("-- dialects: postgres\n", "BAD_DIRECTIVE", 1),
        ("CREATE TABLE x (id INTEGER);\n-- version: 1.0\n", "MISPLACED_DIRECTIVE", 2),
        ("CREATE TABLE x (id INTEGER);\n-- transactional:false\n", "MISPLACED_DIRECTIVE", 2),
        ("CREATE TABLE x (\n    -- depends: 000_a\n    id INTEGER\n);\n", "MISPLACED_DIRECTIVE", 2),
        ("CREATE TABLE x (id INTEGER);\n/* a */ -- version: 1.0\n", "MISPLACED_DIRECTIVE", 2),
        ("CREATE TABLE x (id INTEGER);\n-- Depends: 000_a\n", "MISPLACED_DIRECTIVE", 2),
        ("/* why */\n-- version: 1.0\n", "MISPLACED_DIRECTIVE", 2),
    ],
)
def test_a_header_is_refused(tmp_path: Path, text: str, code: str, line: int) -> None:
    with pytest.raises(FolderError) as refused:
        header_of(tmp_path, text)
    assert (refused.value.code, refused.value.line) == (code, line)
    assert refused.value.file == tmp_path / "migrations" / "sqlite" / "001_b.sql"


def test_wrong_case_is_told_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(FolderError) as refused:
        header_of(tmp_path, "-- DEPENDS: 000_a\n")
    assert "'depends'" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("sqlite", "INSERT INTO notes VALUES ('\n-- version: 1.0\n');\n"),
        ("sqlite", 'CREATE TABLE "a\n-- depends: b\n" (id INTEGER);\n'),
        ("sqlite", "/*\n-- version: 1.0\n*/\n"),
        ("postgres", "INSERT INTO notes VALUES ($$\n-- version: 1.0\n$$);\n"),
        ("postgres", "INSERT INTO notes VALUES (E'it\\'s\n-- version: 1.0\n');\n"),
        ("postgres", "DO $body$\nBEGIN\n    -- depends: on nothing\n    NULL;\nEND\n$body$;\n"),
        ("postgres", "/* /* nested */\n-- version: 1.0\n*/\n"),
    ],
)
def test_a_literal_is_no_directive(tmp_path: Path, dialect: Dialect, text: str) -> None:
    assert header_of(tmp_path, text, dialect).version is None


@pytest.mark.parametrize(
    "line", ["-- depends: 000_a", "-- transactional: false", "-- version: 1.0", "-- depends:000_a"]
)
def test_a_rollback_has_no_directives(folder: Folder, database: Database, line: str) -> None:
    folder.pair("000_a")
    folder.pair("001_b")
    path = folder.write("001_b.rollback.sql", f"-- why\n{line}\nDROP TABLE t_001_b;\n")
    assert_refused(folder.root, database, "MISPLACED_DIRECTIVE", file=path, line=2, commands=(("apply",),))


# Versions, revisions, order.


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (("-- version: 1.0.0\n", "-- version: 1.0.0\n"), "DUPLICATE_VERSION"),
        (("-- version: 1.0.0\n", "-- version: 1.0\n"), "DUPLICATE_VERSION"),
        (("-- version: 1.1.0\n", "-- version: 1.0.9\n"), "BAD_ORDER"),
        (("-- version: 1.10.0\n", "-- version: 1.9.0\n"), "BAD_ORDER"),
        (("-- revision: 001_x\n", "-- revision: 001_x\n"), "DUPLICATE_REVISION"),
    ],
)
def test_versions_and_revisions_name_one_migration_each(
    folder: Folder, database: Database, headers: tuple[str, str], code: str
) -> None:
    folder.pair("001_a", header=headers[0])
    path = folder.pair("003_c", header=headers[1])
    folder.pair("002_b")
    assert_refused(folder.root, database, code, file=path, commands=(("apply",),))
    folder.pair("003_c", header="-- version: 2.0\n-- revision: 003_z\n")
    assert applied(folder.root, database) == ["001_a", "002_b", "003_c"]


def test_versions_grow_by_number(folder: Folder, database: Database) -> None:
    for number, version in enumerate(["1.9.0", "1.10.0", "1.10.1", "2.0"]):
        folder.pair(f"00{number}_x", header=f"-- version: {version}\n")
    assert len(applied(folder.root, database)) == 4


# Transactions are the runner's.

FORBIDDEN = [
    ("both", "COMMIT;", 1),
    ("both", "commit;", 1),
    ("both", "-- why\n\n  BEGIN;\nCREATE TABLE x (id INTEGER);\nCOMMIT;\n", 3),
    ("both", "CREATE TABLE x (id INTEGER);\nROLLBACK;\n", 2),
    ("both", "CREATE TABLE x (id INTEGER); COMMIT;\n", 1),
    ("both", "CREATE TABLE x (id INTEGER);COMMIT", 1),
    ("both", "CREATE TABLE x (id INTEGER);/* why */ROLLBACK;\n", 1),
    ("both", "CREATE TABLE x (id INTEGER); -- why\n/* why\n */ END;\n", 3),
    ("both", "SAVEPOINT a;\n", 1),
    ("both", "RELEASE a;\n", 1),
    ("both", "BEGIN;", 1),
    ("both", "VACUUM;", 1),
    ("sqlite", "BEGIN IMMEDIATE;", 1),
    ("sqlite", "ATTACH 'other.db' AS other;", 1),
    ("sqlite", "ATTACH DATABASE 'other.db' AS other;", 1),
    ("sqlite", "SELECT 1;\nDETACH other;", 2),
    ("sqlite", "PRAGMA foreign_keys = ON;", 1),
    ("sqlite", "pragma FOREIGN_KEYS(0);", 1),
    ("sqlite", "PRAGMA main.foreign_keys = 1;", 1),
    ("sqlite", "PRAGMA writable_schema = 1;", 1),
    ("sqlite", 'PRAGMA "foreign_keys" = 0;', 1),
    ("sqlite", "PRAGMA journal_mode = WAL;", 1),
    ("postgres", "START TRANSACTION;", 1),
    ("postgres", "ABORT;", 1),
    ("postgres", "PREPARE TRANSACTION 'x';", 1),
    ("postgres", "COPY x FROM stdin;\n1\n\\.\n", 1),
    ("postgres", "CREATE TABLE x (id INTEGER);\nCOPY x (id)\n    FROM STDIN;\n", 2),
    ("postgres", "COPY x FROM STDIN WITH (FORMAT csv);", 1),
    ("postgres", "\\set name value\nSELECT 1;\n", 1),
    ("postgres", "CREATE TABLE x (id INTEGER);\n\\i other.sql\n", 2),
    ("postgres", "CREATE TABLE x (id INTEGER); \\echo done\n", 1),
    ("postgres", "-- why\n  \\connect other\n", 2),
    ("postgres", "SELECT 'CREATE TABLE x (id INTEGER)' \\gexec\n", 1),
]


@pytest.mark.parametrize(
    ("dialect", "text", "line"),
    [(dialect, text, line) for on, text, line in FORBIDDEN for dialect in DIALECTS if on in ("both", dialect)],
)
def test_a_migration_leaves_the_transaction_alone(tmp_path: Path, dialect: Dialect, text: str, line: int) -> None:
    folder = Folder(tmp_path / "migrations", dialect)
    for apply, rollback, name in ((text, None, "002_b.sql"), (None, text, "002_b.rollback.sql")):
        folder.pair("002_b", apply, rollback)
        with pytest.raises(FolderError) as refused:
            read_folder(folder.path, dialect)
        assert (refused.value.code, refused.value.line) == ("FORBIDDEN_STATEMENT", line)
        assert refused.value.file == folder.path / name
        assert refused.value.statement and refused.value.statement in text


@pytest.mark.parametrize("text", ["COMMIT;", "DROP TABLE t_001_a;\nROLLBACK;", "SAVEPOINT a;"])
def test_c03_nothing_of_such_a_folder_runs(folder: Folder, database: Database, text: str) -> None:
    folder.pair("001_a")
    path = folder.pair("002_b", text)
    line = text.count("\n") + 1
    assert_refused(folder.root, database, "FORBIDDEN_STATEMENT", file=path, line=line)
    assert all_tables(database) == set()
    folder.pair("002_b")
    assert applied(folder.root, database) == ["001_a", "002_b"]


ALLOWED = [
    ("both", "INSERT INTO a VALUES (1, 'one;\nCOMMIT;\nROLLBACK;');"),
    ("both", "-- COMMIT;\n/* ROLLBACK; */\nINSERT INTO a VALUES (1, 'x'); -- END;\n"),
    ("both", 'CREATE TABLE c ("begin" INTEGER, "end" INTEGER, "commit" INTEGER);'),
    ("both", "CREATE TABLE c (\n    begin INTEGER,\n    savepoint INTEGER\n);"),
    ("both", "UPDATE a SET name = CASE\n    WHEN id > 1 THEN 'x'\nEND;\n"),
    ("sqlite", "CREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n    DELETE FROM a WHERE id < 0;\nEND;\n"),
    (
        "sqlite",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n"
        "UPDATE a SET name = CASE WHEN id > 1 THEN 'end;' ELSE name END;\nDELETE FROM a WHERE id < 0;\nEND;\n"
        "INSERT INTO a VALUES (1, 'x');",
    ),
    ("sqlite", "CREATE TABLE [begin;\ncommit;] (id INTEGER);"),
    ("sqlite", "DROP TRIGGER IF EXISTS t; -- it was there once\nDROP VIEW IF EXISTS v;\n"),
    ("sqlite", "CREATE TABLE trigger (x TEXT DEFAULT ';'); INSERT INTO trigger VALUES ('END;');\n"),
    ("sqlite", "PRAGMA user_version = 3;"),
    ("sqlite", "PRAGMA recursive_triggers = 0;"),
    ("sqlite", "REPLACE INTO a VALUES (1, 'x');"),
    ("postgres", "DO $$\nBEGIN\n    INSERT INTO a VALUES (1, 'x');\nEND\n$$;"),
    (
        "postgres",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $body$\nBEGIN\n    RETURN NEW;\nEND;\n$body$;\n"
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();",
    ),
    (
        "postgres",
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql\nBEGIN ATOMIC\n    SELECT 1;\n"
        "    SELECT CASE WHEN true THEN 1 ELSE 2 END;\nEND;\nINSERT INTO a VALUES (1, 'x');",
    ),
    ("postgres", "INSERT INTO a VALUES (1, E'it\\'s;\nCOMMIT;\n');"),
    ("postgres", "INSERT INTO a VALUES (1, '\\set');\n/* outer /* inner */\nCOMMIT;\n*/"),
    ("postgres", "PREPARE q AS SELECT 1; DEALLOCATE q;"),
    ("postgres", "INSERT INTO a VALUES (1, 'C:\\');\nINSERT INTO a VALUES (2, '100 %s :name');"),
    ("postgres", "COMMENT ON TABLE a IS 'COPY a FROM stdin';"),
]


@pytest.mark.parametrize(
    ("dialect", "text"), [(dialect, text) for on, text in ALLOWED for dialect in DIALECTS if on in ("both", dialect)]
)
def test_c01_what_only_looks_like_transaction_control_runs(folder: Folder, database: Database, text: str) -> None:
    folder.pair("001_a", "CREATE TABLE a (id INTEGER, name TEXT);\n", "DROP TABLE a;\n")
    folder.pair("002_b", text)
    assert applied(folder.root, database, "--no-verify") == ["001_a", "002_b"]


def test_a_server_side_copy_is_not_stdin(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "migrations", "postgres")
    folder.pair("001_a", "COPY a FROM '/var/lib/stdin.csv';\nCOPY b TO '/var/lib/from stdin';\n")
    assert len(read_folder(folder.path, "postgres")) == 1


def test_c05_what_runs_alone_has_one_statement(folder: Folder, database: Database) -> None:
    header = "-- transactional: false\n"
    path = folder.pair("001_a", "CREATE TABLE a (id INTEGER);\nCREATE TABLE b (id INTEGER);\n", header=header)
    assert_refused(folder.root, database, "NOT_ONE_STATEMENT", file=path, line=3)
    folder.pair("001_a", header=header, rollback="DROP TABLE t_001_a;\n;DROP TABLE b;\n")
    assert_refused(folder.root, database, "NOT_ONE_STATEMENT", file=folder.path / "001_a.rollback.sql", line=2)
    folder.pair("001_a", header=header, apply="CREATE TABLE t_001_a (id INTEGER);\n-- and that is all\n;\n")
    assert applied(folder.root, database) == ["001_a"]


@pytest.mark.parametrize("text", ["COMMIT;", "BEGIN;", "ROLLBACK;", "SAVEPOINT a;"])
def test_what_runs_alone_leaves_transactions_alone_too(folder: Folder, database: Database, text: str) -> None:
    path = folder.pair("001_a", text, header="-- transactional: false\n")
    assert_refused(folder.root, database, "FORBIDDEN_STATEMENT", file=path, line=2, commands=(("apply",),))


# Which folder.


def test_sql_names_a_project_or_one_dialect(database: Database, folder: Folder) -> None:
    folder.pair("001_a")
    assert applied(folder.path, database) == ["001_a"]
    assert applied(folder.root, database) == []
    assert states(folder.path, database) == {"001_a": "applied"}


def test_a_project_without_the_dialect(tmp_path: Path, database: Database, dialect: Dialect) -> None:
    other = Folder(tmp_path / "migrations", "postgres" if dialect == "sqlite" else "sqlite")
    other.pair("001_a")
    assert_refused(other.root, database, "NO_SUCH_FOLDER")
    hint = maxwell_db("apply", database=database, sql=other.root).stderr
    assert str(other.root / dialect) in hint


def test_sql_names_a_file(tmp_path: Path) -> None:
    path = tmp_path / "001.sql"
    path.write_text("SELECT 1;")
    with pytest.raises(UsageError) as refused:
        dialect_folder(path, "sqlite")
    assert refused.value.code == "NO_SUCH_FOLDER"


@pytest.mark.skipif(not permissions_count(), reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    folder, database = sqlite_folder(tmp_path), sqlite_database(tmp_path / "x.db")
    folder.pair("001_a").chmod(0)
    assert_refused(folder.root, database, "UNREADABLE_FILE", file=folder.path / "001_a.sql")


def test_yoyo_reads_the_same_header(tmp_path: Path, make_database: Callable[[str], Database]) -> None:
    """What we take for a directive, yoyo does too: applied by yoyo, the order and the transaction are the same."""
    folder, database = sqlite_folder(tmp_path), make_database("sqlite")
    folder.pair("001_a")
    folder.pair("002_b", header="-- Why.\n\n   --depends :001_a\n-- transactional:False\n")
    result = yoyo("apply", database=database, sources=folder.path, cwd=tmp_path)
    assert result.exit_code == 0, result.stderr
    assert states(folder.root, database) == {"001_a": "applied", "002_b": "applied"}


def test_failing_in_text_and_in_json_says_the_same(tmp_path: Path) -> None:
    folder, database = sqlite_folder(tmp_path), sqlite_database(tmp_path / "x.db")
    path = folder.pair("001_a", header="-- version: x\n")
    for command in ("status", "apply", "stamp", "history", "rollback"):
        arguments = [command, *(["head"] if command == "stamp" else []), *(["--yes"] if command == "rollback" else [])]
        result = maxwell_db(*arguments, database=database, sql=folder.root)
        as_json = maxwell_db(*arguments, "--json", database=database, sql=folder.root)
        assert_failed(result, as_json, "BAD_DIRECTIVE", 2, file=path, line=1)
        assert result.stderr.splitlines()[0].endswith(as_json.json()["error"]["message"])
    assert not (tmp_path / "x.db").exists()
