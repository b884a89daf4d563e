"""What a type means in either dialect, and which types of the two hold the same values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.catalog.model import Column
from runner.domain.migration import Dialect

_SHAPE = re.compile(
    r"([^(\[]*?)\s*(?:\(\s*(-?\d+)\s*(?:,\s*(-?\d+)\s*)?\))?\s*([a-z ]*)\s*((?:\[\d*\])*)", re.IGNORECASE
)

#: Families by the words of PostgreSQL, and of what people write for SQLite.
_FAMILIES = {
    "smallint": "smallint",
    "int2": "smallint",
    "tinyint": "smallint",
    "integer": "integer",
    "int": "integer",
    "int4": "integer",
    "mediumint": "integer",
    "bigint": "bigint",
    "int8": "bigint",
    "real": "float",
    "float": "float",
    "float4": "float",
    "float8": "float",
    "double precision": "float",
    "double": "float",
    "numeric": "numeric",
    "decimal": "numeric",
    "number": "numeric",
    "money": "numeric",
    "boolean": "boolean",
    "bool": "boolean",
    "character varying": "varchar",
    "varchar": "varchar",
    "nvarchar": "varchar",
    "varying character": "varchar",
    "character": "char",
    "char": "char",
    "nchar": "char",
    "bpchar": "char",
    "text": "text",
    "clob": "text",
    "citext": "text",
    "name": "text",
    "date": "date",
    "time without time zone": "time",
    "time with time zone": "time",
    "time": "time",
    "timestamp without time zone": "timestamp",
    "timestamp": "timestamp",
    "datetime": "timestamp",
    "timestamp with time zone": "timestamptz",
    "timestamptz": "timestamptz",
    "interval": "interval",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "bytea": "bytes",
    "blob": "bytes",
    "any": "any",
}


@dataclass(frozen=True)
class TypeMeaning:
    """``family``: smallint, integer, bigint, float, numeric, boolean, varchar, char, text, date, time, timestamp,
    timestamptz, interval, uuid, json, bytes, array, any, or other."""

    family: str
    length: int | None = None  # of text; the precision of a number
    scale: int | None = None


def type_meaning(type_: str, dialect: Dialect) -> TypeMeaning:
    """What a declared type means. SQLite takes what it does not know by parts of its name, and no type for any."""
    match = _SHAPE.fullmatch(type_.strip())
    if match is None:
        return TypeMeaning("other")
    before, length, scale, after, array = match.groups()
    if array:
        return TypeMeaning("array")
    name = " ".join(f"{before} {after}".lower().split())
    family = _FAMILIES.get(name)
    if family is None and dialect == "sqlite":
        family = _by_affinity(name)
    numbers = (int(length) if length else None, int(scale) if scale else None)
    if family in ("varchar", "char", "text"):
        return TypeMeaning(family, numbers[0])
    if family == "numeric":
        return TypeMeaning(family, numbers[0], (numbers[1] or 0) if numbers[0] else None)
    return TypeMeaning(family or "other")


def _by_affinity(name: str) -> str:
    if not name:
        return "any"
    for part, family in (
        ("int", "integer"),
        ("char", "varchar"),
        ("clob", "text"),
        ("text", "text"),
        ("blob", "bytes"),
        ("real", "float"),
        ("floa", "float"),
        ("doub", "float"),
    ):
        if part in name:
            return family
    return "other"


# What a column of SQLite may be called for one of PostgreSQL's; SQLite has no other word for most of them.
TEXTS = frozenset({"text", "varchar", "char"})
_ALIKE = {
    "smallint": frozenset({"smallint", "integer"}),
    "integer": frozenset({"integer"}),
    "bigint": frozenset({"bigint", "integer"}),
    "float": frozenset({"float"}),
    "numeric": frozenset({"numeric"}),
    "boolean": frozenset({"boolean"}),
    "date": frozenset({"date"}),
    "time": frozenset({"time"}),
    "timestamp": frozenset({"timestamp"}),
    "timestamptz": frozenset({"timestamp", "timestamptz"}),
    "interval": TEXTS | {"interval"},
    "uuid": TEXTS | {"uuid"},
    "json": frozenset({"text", "json"}),
    "bytes": frozenset({"bytes"}),
    "array": frozenset({"text", "json"}),
    "other": TEXTS | {"other", "any"},
}
_STRICT = {  # a STRICT table knows INTEGER, REAL, TEXT, BLOB and ANY alone
    "boolean": "integer",
    "numeric": "text",
    "date": "text",
    "time": "text",
    "timestamp": "text",
    "timestamptz": "text",
    "varchar": "text",
    "char": "text",
    "uuid": "text",
}


def same_type(sqlite: Column, postgres: Column, *, strict: bool) -> bool:
    """Do two columns hold the same values, as far as their types say so?"""
    one, other = type_meaning(sqlite.type, "sqlite"), type_meaning(postgres.type, "postgres")
    if strict and one.family == _STRICT.get(other.family):
        return True
    if other.family in TEXTS:
        if one.family not in TEXTS:
            return False
        return one.length == other.length and ((one.family == "char") == (other.family == "char"))
    if one.family not in _ALIKE.get(other.family, frozenset()):
        return False
    return one.family != "numeric" or (one.length, one.scale) == (other.length, other.scale)
