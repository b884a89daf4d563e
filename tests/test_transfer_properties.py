"""Whatever a column may hold: what passes comes back equal from PostgreSQL, and what is refused it could not hold.

The judge is not the program: the value is put into words here, by its meaning, and PostgreSQL is asked for its own.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import MisfitFound
from runner.transfer import proof, rebuild
from runner.transfer.copying import copy
from runner.transfer.findings import Findings, Lost
from runner.transfer.looking import look
from runner.transfer.model import Map, Progress
from runner.transfer.preflight import pair, preflight
from runner.transfer.source import snapshot
from runner.transfer.target import read_target

TYPES = (
    *("smallint", "integer", "bigint", "real", "double precision", "numeric", "numeric(6,2)", "boolean"),
    *("text", "varchar(5)", "char(5)", "bytea", "date", "time", "timestamp", "timestamp(0)", "timestamptz"),
    *("uuid", "json", "jsonb", "mood"),
)
NUMBERS = TYPES[:5]
#: Refused by rule though PostgreSQL would take them: their text would be the same, and their sort another.
OF_ANOTHER_SORT = {"number-in-text", "blob-in-text", "not-bytes", "epoch"}


@dataclass(frozen=True)
class Raw:
    """Bytes stored as TEXT."""

    data: bytes


WORDS = (
    *("", "true", "false", "t", "NULL", "\\N", "\\.", "a\n\\.\nb", "it's", "calm", "2024-02-29", "2023-02-29"),
    *("2024-01-01 10:00", "2024-01-01T10:00:00", "2024-01-01 10:00:00.5", "2024-01-01 10:00:00.1234567", "24:00"),
    *(
        "2024-12-31 23:59:59.999999",
        "0001-01-01",
        "0000-01-01",
        "12025-06-07 08:09:10",
        "1900-02-29",
        "10:20",
        "10:20:30.5",
    ),
    *(
        "2024-01-01 10:00:00+02:00",
        "2024-01-01 10:00:00Z",
        "2024-01-01 10:00:00-0930",
        "now",
        "infinity",
        "1e3",
        "12.50",
    ),
    *("0a000000-0000-4000-8000-00000000000a", "0A000000-0000-4000-8000-00000000000A", "{}", '{"a": 1.0, "b": [true]}'),
    *(
        '"\\u0000"',
        '"\\ud800"',
        '{"a":1,"a":2}',
        "[1e400]",
        "NaN",
        "ä" * 5,
        "ä" * 6,
        "abc  ",
        "1234.56",
        "12345.6",
        ".5",
    ),
)

numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-40000, 40000),
    st.sampled_from([0, 1, 2, 2**31, -(2**31), 2**53, 2**53 + 1, 10**4, 99999]),
    st.floats(allow_nan=False),
    st.sampled_from([0.1, 0.5, 1e22, 1e23, 5e-324, 1.7976931348623157e308, 1234.56, 0.005, float("inf"), -0.0]),
)
texts = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.sampled_from(WORDS),
    st.binary(max_size=6).map(Raw),
    st.datetimes().map(str),
    st.dates().map(str),
    st.uuids().map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)).map(json.dumps),
)
values = st.one_of(st.none(), numbers, texts, st.binary(max_size=6))


@pytest.fixture(scope="module")
def connection(pg_url: str) -> Iterator[Any]:
    """A session with a table for each type, in a schema of its own that goes with it."""
    with closing(psycopg2.connect(pg_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS held CASCADE; CREATE SCHEMA held; SET search_path TO held")
            cursor.execute("CREATE TYPE mood AS ENUM ('calm', 'ä', ''); SET TimeZone = 'UTC'")
            for number, type_name in enumerate(TYPES):
                cursor.execute(f"CREATE TABLE t{number} (n INTEGER PRIMARY KEY, v {type_name})")
            yield connection
            cursor.execute("DROP SCHEMA held CASCADE")


@pytest.mark.parametrize("type_name", TYPES)
def test_what_passes_comes_back_equal_and_what_is_refused_could_not_be_held(connection: Any, type_name: str) -> None:
    name = f"t{TYPES.index(type_name)}"
    (table,) = (each for each in read_target(connection) if each.name == name)

    @settings(
        max_examples=int(os.environ.get("MAXWELL_TEST_EXAMPLES", "12")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(values, min_size=1, max_size=40))
    def check(some: list[Any]) -> None:
        with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as lite:
            lite.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, v)")
            for number, value in enumerate(some):
                if isinstance(value, Raw):
                    lite.execute(f"INSERT INTO {name} VALUES (?, CAST(? AS TEXT))", (number, value.data))
                else:
                    lite.execute(f"INSERT INTO {name} VALUES (?, ?)", (number, value))
            refused = refused_rows(lite, table)
            for number in refused:
                if refused[number] not in OF_ANOTHER_SORT:
                    assert not held(connection, type_name, some[number]), (type_name, some[number], refused[number])
                lite.execute(f"DELETE FROM {name} WHERE n = {number}")
            passed = {number: value for number, value in enumerate(some) if number not in refused}
            assert arrived(lite, connection, table) == {
                number: meaning(type_name, value) for number, value in passed.items()
            }

    check()


@pytest.mark.parametrize("affinity", ["", "TEXT", "INTEGER", "REAL", "NUMERIC"])
@pytest.mark.parametrize("type_name", TYPES)
def test_what_is_copied_at_once_is_what_the_look_at_all_of_it_lets_pass(
    connection: Any, type_name: str, affinity: str
) -> None:
    """What does not fit is seen beside the copy, or is refused, or comes back changed."""
    name = f"t{TYPES.index(type_name)}"
    (table,) = (each for each in read_target(connection) if each.name == name)

    @settings(
        max_examples=int(os.environ.get("MAXWELL_TEST_EXAMPLES", "8")),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(values, min_size=1, max_size=3))
    def check(some: list[Any]) -> None:
        with closing(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)) as lite:
            lite.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, v {affinity})")
            for number, value in enumerate(some):
                given, sql = (value.data, "CAST(? AS TEXT)") if isinstance(value, Raw) else (value, "?")
                lite.execute(f"INSERT INTO {name} VALUES (?, {sql})", (number, given))
            assert copied_at_once(lite, connection, table) == (refused_rows(lite, table) == {})

    check()


def copied_at_once(lite: sqlite3.Connection, connection: Any, table: Any) -> bool:
    with connection.cursor() as cursor, snapshot(lite) as source:
        cursor.execute("BEGIN")
        try:
            rebuild.settings(connection)
            findings = Findings(1000, Lost(None))
            plans = pair(source, [table], Map(), findings)
            seen = look(source, plans, findings, Progress())
            rebuild.empty(connection, [table])
            copy(source, connection, plans, {plan.name: source.count(plan.source) for plan in plans}, Progress())
            if seen.digests:
                return proof.read_streams(connection, plans, Progress()) == seen.digests
            there = proof.read_back(connection, plans, Progress(), None)
            return proof.compare(proof.read_doubles(source, plans, seen.sums), there) == []
        except (psycopg2.DataError, psycopg2.IntegrityError, MisfitFound):
            return False
        finally:
            cursor.execute("ROLLBACK")


def refused_rows(lite: sqlite3.Connection, table: Any) -> dict[int, str]:
    findings = Findings(1000, Lost(None))
    with snapshot(lite) as source:
        preflight(source, [table], Map(), findings, Progress())
    return {int(sample.key): one.kind for one in findings.all() for sample in one.sample}


def arrived(lite: sqlite3.Connection, connection: Any, table: Any) -> dict[int, Any]:
    """What PostgreSQL says that it has, after the whole way: copied, and proven."""
    with connection.cursor() as cursor, snapshot(lite) as source:
        cursor.execute("BEGIN")
        try:
            rebuild.settings(connection)
            findings = Findings(1000, Lost(None))
            plans, sums = preflight(source, [table], Map(), findings, Progress())
            assert findings.all() == ()
            away = rebuild.take_away(connection, [table])
            rebuild.empty(connection, [table])
            copy(source, connection, plans, {name: one.rows for name, one in sums.items()}, Progress())
            rebuild.put_back(connection, away, Progress())
            there = proof.read_back(connection, plans, Progress(), None)
            assert proof.compare(proof.read_doubles(source, plans, sums), there) == []
            cast = "::float8" if table.columns[1].type == "float4" else ""
            cursor.execute(f"SELECT n, v{cast}::text FROM {table.name}")
            return {number: as_meant(table, text) for number, text in cursor.fetchall()}
        finally:
            cursor.execute("ROLLBACK")


def as_meant(table: Any, text: str | None) -> Any:
    kind = table.columns[1].type
    if text is None:
        return None
    if kind in ("float8", "float4"):
        return struct.pack("d", float(text))
    if kind == "numeric":
        return Decimal(text)
    if kind == "jsonb":
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return text


def meaning(type_name: str, value: Any) -> Any:
    """What a value means in a column of this type, said without the program's help."""
    if value is None:
        return None
    if isinstance(value, Raw):
        value = value.data.decode()
    if type_name in ("smallint", "integer", "bigint"):
        return str(value)
    if type_name in ("real", "double precision"):
        return struct.pack("d", float(value))
    if type_name.startswith("numeric"):
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if type_name == "boolean":
        return "true" if value in (1, "true") else "false"
    if type_name == "bytea":
        return "\\x" + value.hex()
    if type_name == "uuid":
        return value.lower()
    if type_name == "json":
        return value if isinstance(value, str) else repr(value)
    if type_name == "jsonb":
        text = value if isinstance(value, str) else repr(value)
        return json.loads(text, parse_float=Decimal, parse_int=Decimal)
    if type_name in ("date", "text", "varchar(5)", "char(5)", "mood"):
        return value
    return moment(type_name, value)


def moment(type_name: str, value: str) -> str:
    """A time as PostgreSQL writes it."""
    from datetime import datetime

    text = value.replace("T", " ")
    if type_name == "timestamptz":
        when = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
        text = when.replace(tzinfo=None).isoformat(" ").rjust(19, "0")
        return (text.rstrip("0").rstrip(".") if "." in text else text) + "+00"
    if ":" not in text:
        text += " 00:00:00"
    if text.count(":") == 1:
        text += ":00"
    return text.rstrip("0").rstrip(".") if "." in text else text


def held(connection: Any, type_name: str, value: Any) -> bool:
    """Would PostgreSQL keep this very value, and give the very same text back?"""
    if isinstance(value, Raw):
        try:
            value = value.data.decode()
        except UnicodeDecodeError:
            return False
    if isinstance(value, bytes) or value is None:
        return False
    if isinstance(value, str) and ("\0" in value or type_name in NUMBERS):
        return False  # a number in words is no number
    sent = repr(value) if isinstance(value, float) else str(value)
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SELECT %s::{type_name}::text", (sent,))
        except psycopg2.Error:
            return False
        ((answer,),) = cursor.fetchall()
    if type_name in ("real", "double precision") and isinstance(value, int | float) and not math.isinf(value):
        if type_name == "real":
            return bool(struct.unpack("f", struct.pack("f", float(answer)))[0] == value)
        return bool(int(float(answer)) == value if isinstance(value, int) else float(answer) == value)
    if type_name.startswith("numeric") and isinstance(value, int | float):
        if math.isinf(value):
            return False  # only servers from 14 on do
        return bool(Decimal(answer) == Decimal(sent))
    if type_name == "jsonb":
        return bool(answer == sent)
    if sent in ("infinity", "-infinity", "NaN"):
        return False  # kept, but not what any date means
    return bool(answer == sent.replace("T", " "))
