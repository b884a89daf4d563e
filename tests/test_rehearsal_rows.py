"""Rows are made for any schema, and hold to all that it says; and what types and defaults mean in either dialect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runner.catalog import Catalog, read_catalog
from runner.catalog.meaning import default_meaning, normal
from runner.catalog.model import Column
from runner.catalog.parity import disparities
from runner.catalog.types import same_type
from runner.domain.migration import Dialect
from runner.rehearsal.foresight import Foresight
from runner.rehearsal.hints import json_hints
from runner.rehearsal.rows import Filler, Unfilled
from tests.support.databases import Database

MakeDatabase = Callable[[str], Database]

COMMON = """
CREATE TABLE person (
    id      INTEGER      NOT NULL PRIMARY KEY,
    name    VARCHAR(3)   NOT NULL UNIQUE,
    boss    INTEGER      REFERENCES person (id),
    house   INTEGER      REFERENCES house (id),
    born    DATE         NOT NULL,
    died    DATE,
    kind    VARCHAR(20)  NOT NULL CHECK (kind IN ('author', 'editor')),
    share   NUMERIC(4,2) CHECK (share > 0 AND share <= 1),
    code    CHAR(7)      NOT NULL CHECK (length(code) = 7),
    CONSTRAINT order_of_life CHECK (died > born)
);
CREATE TABLE self_made (id INTEGER NOT NULL PRIMARY KEY, maker INTEGER NOT NULL REFERENCES self_made (id));
CREATE TABLE passport (person_id INTEGER NOT NULL PRIMARY KEY REFERENCES person (id), issued TIMESTAMP);
CREATE TABLE chapter (book INTEGER NOT NULL, number INTEGER NOT NULL, title TEXT, PRIMARY KEY (book, number));
CREATE TABLE page (
    id INTEGER NOT NULL PRIMARY KEY, book INTEGER NOT NULL, number INTEGER NOT NULL,
    back_book INTEGER, back_number INTEGER,
    FOREIGN KEY (book, number) REFERENCES chapter (book, number),
    FOREIGN KEY (book, back_number) REFERENCES chapter (book, number)
);
CREATE TABLE read_by (
    person_id INTEGER NOT NULL REFERENCES person (id), passport_id INTEGER NOT NULL REFERENCES passport (person_id),
    PRIMARY KEY (person_id, passport_id)
);
CREATE TABLE tag (word VARCHAR(10) NOT NULL);
CREATE UNIQUE INDEX tag_word ON tag (lower(word));
CREATE TABLE "select" ("from, where" INTEGER NOT NULL PRIMARY KEY, "a""b" TEXT, "100%" INTEGER CHECK ("100%" > 5));
CREATE TABLE only_defaults (id INTEGER DEFAULT 1);
"""
HOUSE = (
    "CREATE TABLE house (id INTEGER NOT NULL PRIMARY KEY, owner INTEGER REFERENCES person (id), area {float} NOT NULL);"
)
OWN = {
    "sqlite": """
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, total INTEGER GENERATED ALWAYS AS (id * 2) STORED, x BLOB);
CREATE TABLE strictly (a TEXT NOT NULL, b ANY, c INT CHECK (c % 2 = 0), PRIMARY KEY (a, b)) STRICT, WITHOUT ROWID;
CREATE TABLE document (body TEXT NOT NULL CHECK (json_valid(body)));
CREATE TABLE guarded (a INTEGER NOT NULL);
CREATE TRIGGER guard BEFORE INSERT ON guarded WHEN NEW.a <> 50 BEGIN SELECT RAISE(ABORT, 'no'); END;
""",
    "postgres": """
CREATE TYPE mood AS ENUM ('sad', 'it''s fine');
CREATE DOMAIN percent AS INTEGER NOT NULL CHECK (VALUE BETWEEN 80 AND 90);
CREATE TABLE counted (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total BIGINT GENERATED ALWAYS AS (7) STORED, n SERIAL,
    how mood NOT NULL, p percent, x BYTEA NOT NULL, u UUID NOT NULL, j JSONB NOT NULL, a INTEGER[] NOT NULL,
    i INET NOT NULL, iv INTERVAL NOT NULL, tz TIMESTAMPTZ NOT NULL, t TIME NOT NULL, b BIT(3) NOT NULL,
    s TSVECTOR NOT NULL, r INT4RANGE NOT NULL, m MONEY NOT NULL, mac MACADDR NOT NULL, dp DOUBLE PRECISION NOT NULL,
    small SMALLINT NOT NULL, flag BOOLEAN NOT NULL, po POINT NOT NULL
);
CREATE TABLE measured (at DATE NOT NULL, value INTEGER) PARTITION BY RANGE (at);
CREATE TABLE measured_2020 PARTITION OF measured FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE booked (room INTEGER NOT NULL, EXCLUDE USING btree (room WITH =));
ALTER TABLE house ADD CONSTRAINT later FOREIGN KEY (owner) REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE guarded (a INTEGER NOT NULL);
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.a <> 50 THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
""",
}


def schema(dialect: str) -> str:
    if dialect == "sqlite":
        return COMMON + HOUSE.format(float="REAL") + OWN[dialect]
    # PostgreSQL wants the other table to be there first.
    person = COMMON.replace("REFERENCES house (id)", "")
    house = HOUSE.format(float="DOUBLE PRECISION")
    return f"{person}{house} ALTER TABLE person ADD FOREIGN KEY (house) REFERENCES house (id); {OWN[dialect]}"


def fill(database: Database, rows: int = 20, times: int = 1) -> tuple[Catalog, tuple[Unfilled, ...]]:
    dialect: Dialect = "sqlite" if database.dialect == "sqlite" else "postgres"
    with database.connect() as connection:
        catalog = read_catalog(connection, dialect)
        filler = Filler(connection, dialect, (), rows)
        for _ in range(times):
            unfilled = filler.fill(catalog)
        return catalog, unfilled


def test_every_table_of_a_hard_schema_gets_its_rows(database: Database) -> None:
    database.script(schema(database.dialect))
    catalog, unfilled = fill(database)
    assert unfilled == ()
    for table in catalog.tables:
        quoted = table.name.replace('"', '""')
        wanted = 20
        assert database.value(f'SELECT count(*) FROM "{quoted}"') >= wanted, table.name
    # SQLite held to foreign keys meanwhile; PostgreSQL always does.
    if database.dialect == "sqlite":
        assert database.query("PRAGMA foreign_key_check") == []
    assert database.value("SELECT count(*) FROM person WHERE boss IS NOT NULL") > 3
    assert database.value("SELECT count(*) FROM person WHERE house IS NOT NULL") > 3  # half of a circle
    assert database.value("SELECT count(*) FROM house WHERE owner IS NOT NULL") > 3  # and the other half
    assert database.value("SELECT count(DISTINCT kind) FROM person") >= 1
    assert database.value("SELECT count(*) FROM person WHERE died IS NULL") > 3
    assert database.value("SELECT count(*) FROM person WHERE died IS NOT NULL") > 3


def test_a_second_time_nothing_is_added_to_what_has_not_changed(database: Database) -> None:
    database.script(schema(database.dialect))
    fill(database, 5, times=2)
    assert database.value("SELECT count(*) FROM page") == 5


def test_a_table_with_new_columns_gets_more_rows(database: Database) -> None:
    database.script(
        "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY); CREATE TABLE b (id INTEGER NOT NULL PRIMARY KEY);"
        "CREATE TABLE a_b (a INTEGER NOT NULL REFERENCES a (id), b INTEGER NOT NULL REFERENCES b (id), UNIQUE (a, b));"
    )
    dialect: Dialect = "sqlite" if database.dialect == "sqlite" else "postgres"
    with database.connect() as connection:
        filler = Filler(connection, dialect, (), 6)
        filler.fill(read_catalog(connection, dialect))
        database.script("ALTER TABLE a_b ADD COLUMN note TEXT;")
        filler.fill(read_catalog(connection, dialect))
    assert database.value("SELECT count(*) FROM a") == 6
    assert database.value("SELECT count(*) FROM a_b") == 9
    assert database.value("SELECT count(*) FROM a_b WHERE note IS NOT NULL") >= 2


def test_what_cannot_be_filled_is_told_with_the_database_s_words(database: Database) -> None:
    database.script(
        "CREATE TABLE never (a INTEGER NOT NULL CONSTRAINT impossible CHECK (a > 1 AND a < 1));"
        "CREATE TABLE child (a INTEGER NOT NULL REFERENCES parent (a));"
        if database.dialect == "sqlite"
        else "CREATE TABLE never (a INTEGER NOT NULL CONSTRAINT impossible CHECK (a > 1 AND a < 1));"
    )
    _, unfilled = fill(database, 3)
    assert "impossible" in {one.table: one.reason for one in unfilled}["never"]
    assert {one.rows for one in unfilled} == {0}


def test_a_key_that_refers_to_nothing_stops_nobody(make_database: MakeDatabase) -> None:
    database = make_database("sqlite")
    database.script(
        "CREATE TABLE lost (id INTEGER PRIMARY KEY, a INTEGER REFERENCES nowhere (id));"
        "CREATE TABLE keyless (b INTEGER); CREATE TABLE child (id INTEGER PRIMARY KEY, b INTEGER REFERENCES keyless);"
        "CREATE TABLE fine (id INTEGER PRIMARY KEY);"
    )
    _, unfilled = fill(database, 5)
    assert {one.table for one in unfilled} <= {"lost", "child"}
    assert database.value("SELECT count(*) FROM fine") == 5


def test_a_row_fits_the_version_before_too(database: Database, make_database: MakeDatabase) -> None:
    """What a rollback has to take along: shorter, not NULL, unique, as the narrower schema wants it."""
    older = make_database(database.dialect)
    older.script("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a VARCHAR(4) NOT NULL UNIQUE, b INTEGER NOT NULL)")
    database.script("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, a VARCHAR(40), b INTEGER, c TEXT)")
    dialect: Dialect = "sqlite" if database.dialect == "sqlite" else "postgres"
    with older.connect() as before, database.connect() as connection:
        catalog = read_catalog(connection, dialect)
        Filler(connection, dialect, (), 20).fill(catalog, Foresight(read_catalog(before, dialect)))
    condition = "a IS NULL OR b IS NULL OR length(a) > 4"
    assert database.value(f"SELECT count(*) FROM t WHERE {condition}") == 0
    assert database.value("SELECT count(DISTINCT a) FROM t") == 20


def test_json_is_known_by_what_migrations_do_with_it() -> None:
    text = "UPDATE a SET b = json_set(b, '$.size', json_object('w', json_extract(b, '$.w'))); -- json(x)\n"
    hints = json_hints([text, "SELECT a.c ->> 'color', '$.size.w' FROM a"], "sqlite")
    assert hints.columns == {"b", "c"} and hints.keys == ("w", "color")
    assert hints.document(7) == '{"number": 7, "w": 7, "color": 7}'


def column(type_: str, default: str | None = None, **more: str) -> Column:
    return Column("c", type_, default=default, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        (("DATETIME", "CURRENT_TIMESTAMP"), ("timestamp without time zone", "(now() AT TIME ZONE 'UTC'::text)")),
        (("DATETIME", "CURRENT_TIMESTAMP"), ("timestamp without time zone", "timezone('utc'::text, now())")),
        (("DATETIME", "datetime('now')"), ("timestamp with time zone", "CURRENT_TIMESTAMP")),
        (("DATE", "CURRENT_DATE"), ("date", "CURRENT_DATE")),
        (("BOOLEAN", "0"), ("boolean", "false")),
        (("BOOLEAN", "TRUE"), ("boolean", "true")),
        (("VARCHAR(9)", "'it''s'"), ("character varying(9)", "'it''s'::character varying")),
        (("TEXT", "'a::b'"), ("text", "'a::b'::text")),
        (("INTEGER", "-1"), ("integer", "'-1'::integer")),
        (("REAL", "40"), ("double precision", "40")),
        (("DECIMAL(5, 2)", "1.5"), ("numeric(5,2)", "1.50")),
        (("TEXT", "'{}'"), ("jsonb", "'{}'::jsonb")),
        (("TEXT", None), ("text", None)),
    ],
)
def test_defaults_that_give_the_same_are_the_same(
    sqlite: tuple[str, str | None], postgres: tuple[str, str | None]
) -> None:
    one, other = column(*sqlite), column(*postgres)
    assert default_meaning(one, "sqlite") == default_meaning(other, "postgres")
    assert same_type(one, other, strict=False)


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        (("DATETIME", "CURRENT_TIMESTAMP"), ("timestamp without time zone", "now()")),
        (("DATETIME", "CURRENT_TIMESTAMP"), ("timestamp without time zone", "LOCALTIMESTAMP")),
        (("DATETIME", "CURRENT_TIMESTAMP"), ("timestamp without time zone", "(now() AT TIME ZONE 'CET'::text)")),
        (("TEXT", "'40'"), ("integer", "40")),
        (("TEXT", None), ("text", "''::text")),
        (("BOOLEAN", "1"), ("boolean", "false")),
    ],
)
def test_defaults_that_give_something_else_are_not(
    sqlite: tuple[str, str | None], postgres: tuple[str, str | None]
) -> None:
    assert default_meaning(column(*sqlite), "sqlite") != default_meaning(column(*postgres), "postgres")


@pytest.mark.parametrize(
    ("sqlite", "postgres", "same"),
    [
        ("INTEGER", "bigint", True),
        ("BIGINT", "integer", False),
        ("INTEGER", "boolean", False),
        ("VARCHAR(36)", "uuid", True),
        ("TEXT", "mood", True),
        ("TEXT", "integer[]", True),
        ("TEXT", "character varying(5)", False),
        ("VARCHAR(5)", "character varying(6)", False),
        ("BLOB", "bytea", True),
        ("BLOB", "text", False),
        ("REAL", "numeric(5,2)", False),
        ("DATETIME", "timestamp(3) without time zone", True),
        ("DATE", "timestamp without time zone", False),
    ],
)
def test_types_are_compared_by_a_map(sqlite: str, postgres: str, same: bool) -> None:
    assert same_type(column(sqlite), column(postgres), strict=False) is same


def test_a_strict_table_has_no_other_words() -> None:
    for sqlite, postgres in (("TEXT", "timestamp without time zone"), ("INTEGER", "boolean"), ("TEXT", "uuid")):
        assert same_type(column(sqlite), column(postgres), strict=True)


def test_conditions_are_read_alike() -> None:
    written = "kind IN ('a', 'b') AND n BETWEEN 1 AND 2"
    deparsed = (
        "(kind::text = ANY (ARRAY['a'::character varying, 'b'::character varying]::text[])) AND n >= 1 AND n <= 2"
    )
    assert normal(written) == normal(deparsed)


def test_a_domain_is_its_own_type(make_database: MakeDatabase) -> None:
    one, other = make_database("sqlite"), make_database("postgres")
    one.script("CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, b VARCHAR(5) NOT NULL DEFAULT 'x', c TEXT)")
    other.script(
        "CREATE DOMAIN word AS VARCHAR(5) NOT NULL DEFAULT 'x'; CREATE TYPE mood AS ENUM ('sad');"
        "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, b word, c mood)"
    )
    with one.connect() as first, other.connect() as second:
        assert disparities(read_catalog(first, "sqlite"), read_catalog(second, "postgres")) == ()


def test_keys_that_count_themselves_are_one_thing_in_both(make_database: MakeDatabase) -> None:
    one, other = make_database("sqlite"), make_database("postgres")
    one.script(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER); CREATE TABLE c (id INTEGER PRIMARY KEY AUTOINCREMENT)"
    )
    other.script(
        "CREATE TABLE a (id BIGSERIAL PRIMARY KEY, b INTEGER);"
        "CREATE TABLE c (id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)"
    )
    with one.connect() as first, other.connect() as second:
        assert disparities(read_catalog(first, "sqlite"), read_catalog(second, "postgres")) == ()
