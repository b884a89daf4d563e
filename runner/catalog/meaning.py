"""What a type and a default mean, in either dialect's words: what two dialects are compared by."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.catalog.model import Column
from runner.domain.migration import Dialect
from runner.domain.sql import tokens

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
_TEXTS = frozenset({"text", "varchar", "char"})
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
    "interval": _TEXTS | {"interval"},
    "uuid": _TEXTS | {"uuid"},
    "json": frozenset({"text", "json"}),
    "bytes": frozenset({"bytes"}),
    "array": frozenset({"text", "json"}),
    "other": _TEXTS | {"other", "any"},
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
    if other.family in _TEXTS:
        if one.family not in _TEXTS:
            return False
        return one.length == other.length and ((one.family == "char") == (other.family == "char"))
    if one.family not in _ALIKE.get(other.family, frozenset()):
        return False
    return one.family != "numeric" or (one.length, one.scale) == (other.length, other.scale)


@dataclass(frozen=True)
class DefaultMeaning:
    """``kind``: none, number, text, true, false, now (UTC), local (the session's time), date, key (one more than the
    last), or expression."""

    kind: str
    value: str = ""


NO_DEFAULT = DefaultMeaning("none")

# A literal, which stays, or a cast, which goes.
_CAST = re.compile(
    r"""
    (?P<literal>'(?:[^']|'')*')
    | ::\s*(?:character\ varying|double\ precision|bit\ varying|time(?:stamp)?(?:\(\d+\))?\ with(?:out)?\ time\ zone
          |(?:"[^"]+"|[a-z_]\w*)(?:\.(?:"[^"]+"|\w+))?)(?:\(\d+(?:,\s*\d+)?\))?(?:\[\])*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?\s*(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)
_NOW = {"now()", "current_timestamp", "transaction_timestamp()", "statement_timestamp()", "clock_timestamp()"}
_NOW_SQLITE = {"current_timestamp", "datetime('now')", "datetime()", "strftime('%y-%m-%d %h:%m:%s', 'now')"}
_UTC = re.compile(
    r"""\(?(?:now\(\)|current_timestamp|\w+_timestamp\(\))\)?\ at\ time\ zone\ \(?'(?:utc|gmt|etc/utc)'\)?
    | timezone\(\(?'(?:utc|gmt|etc/utc)'\)?,\ *(?:now\(\)|current_timestamp)\)""",
    re.VERBOSE,
)
_LOCAL = {"localtimestamp", "localtimestamp()"}
_DATES = {"current_date", "date('now')", "now()::date"}


def default_meaning(column: Column, dialect: Dialect) -> DefaultMeaning:
    """What a row gets that gives no value for a column."""
    if column.identity is not None:
        return DefaultMeaning("key")
    if column.default is None:
        return NO_DEFAULT
    family = type_meaning(column.type, dialect).family
    text = _stripped(column.default)
    lower = " ".join(text.lower().split())
    if lower.startswith("nextval("):
        return DefaultMeaning("key")
    if lower in ("true", "false"):
        return DefaultMeaning(lower)
    if _NUMBER.fullmatch(_unquoted(text)) and (family not in _TEXTS or not text.startswith("'")):
        return _number(_unquoted(text), family)
    if text.startswith("'") and text.endswith("'") and "'" not in text[1:-1].replace("''", ""):
        return DefaultMeaning("text", text[1:-1].replace("''", "'"))
    return _time(lower, family, dialect) or DefaultMeaning("expression", normal(text))


def _number(text: str, family: str) -> DefaultMeaning:
    from decimal import Decimal

    value = Decimal(text.replace(" ", ""))
    if family == "boolean" and value in (0, 1):
        return DefaultMeaning("true" if value else "false")
    return DefaultMeaning("number", f"{value.normalize():f}")


def _time(text: str, family: str, dialect: Dialect) -> DefaultMeaning | None:
    """The time now, and in which zone it is written down."""
    if dialect == "sqlite":
        if text in _NOW_SQLITE:
            return DefaultMeaning("now")
        return DefaultMeaning("date") if text in _DATES else None
    if _UTC.fullmatch(text):
        return DefaultMeaning("now" if family != "timestamptz" else "local")
    if text in _NOW:
        return DefaultMeaning("now" if family == "timestamptz" else "local")
    if text in _LOCAL:
        return DefaultMeaning("local")
    return DefaultMeaning("date") if text in _DATES else None


def _stripped(text: str) -> str:
    """Without PostgreSQL's casts, and without parentheses around the whole."""
    text = _without_casts(text.strip())
    while text.startswith("(") and text.endswith(")") and _whole(text):
        text = text[1:-1].strip()
    return text


def _without_casts(text: str) -> str:
    return _CAST.sub(lambda match: match["literal"] or "", text)


def _whole(text: str) -> bool:
    """Do the first and the last parenthesis belong together?"""
    depth = 0
    for number, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return number == len(text) - 1
    return False


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 2 and text[0] == text[-1] == "'" else text


_ANY = re.compile(r"= any array \[ (.*?) \]")

_BETWEEN = re.compile(r"(\S+) between (\S+) and (\S+)")


def normal(expression: str) -> str:
    """An expression without what the dialects write differently: casts, case, parentheses, white space, IN lists."""
    pieces = [
        token.text if token.kind in ("literal", "name") else token.text.lower()
        for token in tokens(_without_casts(expression), "postgres")
        if token.kind != "comment"
    ]
    text = " ".join(piece for piece in pieces if piece not in ("(", ")"))
    text = _ANY.sub(r"in \1", text.replace("<>", "!=").replace(" ~~ ", " like "))
    text = " ".join(text.replace('"', "").split())
    return _BETWEEN.sub(r"\1 >= \2 and \1 <= \3", text)
