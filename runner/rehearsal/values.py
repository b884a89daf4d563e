"""A value for a column: of its type, and another one for each number."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runner.catalog.model import Catalog, Check, Column, Domain
from runner.catalog.types import TypeMeaning, type_meaning
from runner.domain.migration import Dialect
from runner.domain.sql import tokens

Value = str | int | float | bytes | None

#: Long ago, so that what a trigger or a statement sets to the present time can be told from it.
_EPOCH = datetime(2001, 1, 1)

#: PostgreSQL's other types, by the beginning of their names. Everything can be given as a string there.
_OTHERS = {
    "inet": "10.0.0.{}",
    "cidr": "10.{}.0.0/16",
    "macaddr": "08:00:2b:01:02:03",
    "tsvector": "word",
    "tsquery": "word",
    "xml": "<a/>",
    "point": "({},1)",
    "line": "{{1,2,3}}",
    "lseg": "[(0,0),(1,1)]",
    "box": "(1,1),(0,0)",
    "path": "((0,0),(1,1))",
    "polygon": "((0,0),(1,1),(1,0))",
    "circle": "<(0,0),1>",
    "pg_lsn": "0/{}",
    "oid": "{}",
    "money": "{}",
}


@dataclass(frozen=True)
class Kind:
    """A column's type, looked up once: a domain is its base, and brings its checks along."""

    meaning: TypeMeaning
    type: str
    labels: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    nullable: bool = True
    written_as: TypeMeaning | None = None  # a text that another version reads as something else


def kind_of(column: Column, catalog: Catalog) -> Kind:
    domains: Mapping[str, Domain] = {domain.name: domain for domain in catalog.domains}
    type_, nullable = column.type, column.nullable
    checks: list[Check] = []
    while (domain := domains.get(type_.strip('"'))) is not None:
        type_ = domain.base
        checks += domain.checks
        nullable = nullable and domain.nullable
    labels = next((enum.labels for enum in catalog.enums if enum.name == type_.strip('"')), ())
    return Kind(type_meaning(type_, catalog.dialect), type_, labels, tuple(checks), nullable)


def value_of(kind: Kind, name: str, number: int, dialect: Dialect) -> Value:
    """The value with this number; two numbers give two values, unless the type has too few."""
    meaning = kind.meaning
    if kind.written_as is not None:
        other = replace(kind, meaning=kind.written_as, written_as=None)
        return str(value_of(other, name, number, "postgres"))
    if kind.labels:
        return kind.labels[number % len(kind.labels)]
    match meaning.family:
        case "smallint":
            return number % 32000
        case "integer" | "any":
            return number
        case "bigint":
            return number + 2**33
        case "float":
            return number + 0.5
        case "numeric":
            return _numeric(meaning, number)
        case "boolean":
            return number % 2 if dialect == "sqlite" else ("false", "true")[number % 2]
        case "varchar" | "char" | "text":
            return _text(meaning, name, number)
        case "date":
            return (_EPOCH + timedelta(days=number)).strftime("%Y-%m-%d")
        case "time":
            return (_EPOCH + timedelta(seconds=number)).strftime("%H:%M:%S")
        case "timestamp":
            return (_EPOCH + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S")
        case "timestamptz":
            return (_EPOCH + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S+00")
        case "interval":
            return f"{number} hours"
        case "uuid":
            return str(uuid.UUID(int=number))
        case "bytes":
            data = number.to_bytes(4, "big")
            return data if dialect == "sqlite" else f"\\x{data.hex()}"
        case "array":
            return "{}"
    return _other(kind.type, number)


def _numeric(meaning: TypeMeaning, number: int) -> Value:
    whole = (meaning.length or 12) - (meaning.scale or 0)
    rest = number % 10 ** max(whole, 0)
    return float(f"{rest}.{'5' if (meaning.scale or 0) > 0 else '0'}") if meaning.scale else rest


def _text(meaning: TypeMeaning, name: str, number: int) -> str:
    if meaning.length == 36:
        return str(uuid.UUID(int=number))
    text = f"{name} {number}" if number % 5 else f"{name} 'é' {number}"
    if meaning.length is not None and len(text) > meaning.length:
        return str(number).zfill(meaning.length)[-meaning.length :]
    return text


def _other(type_: str, number: int) -> str:
    lower = type_.lower()
    if match := re.match(r"bit(?: varying)?(?:\((\d+)\))?", lower):
        return "1" * int(match[1] or 1)
    if lower.endswith("range"):
        return "empty"
    pattern = next((text for start, text in _OTHERS.items() if lower.startswith(start)), "{}")
    return pattern.format(number % 250)


def literals(expression: str, dialect: Dialect) -> list[str]:
    """The strings and numbers that an expression names, in order."""
    found = []
    for token in tokens(expression, dialect):
        if token.kind == "literal" and token.text.startswith("'"):
            found.append(token.text[1:-1].replace("''", "'"))
        elif token.kind == "word" and re.fullmatch(r"\d+(?:\.\d+)?", token.text):
            found.append(token.text)
    return found


def named_columns(expression: str, dialect: Dialect) -> set[str]:
    """The words of an expression in lower case, of which some are columns."""
    words: set[str] = set()
    for token in tokens(expression, dialect):
        if token.kind == "word":
            words.update(token.text.lower().split("."))
        elif token.kind == "name":
            words.add(token.text[1:-1].lower())
    return words


def candidates(kind: Kind, told: list[str], usual: Value, number: int, dialect: Dialect) -> list[Value]:
    """Values to try where the usual one is refused; ``told`` are those that constraints name, ``number`` the row's."""
    family = kind.meaning.family
    found: list[Value] = [usual]
    if kind.labels:
        return [*found, *kind.labels]
    if family in ("smallint", "integer", "bigint", "float", "numeric", "any"):
        numbers = [float(text) for text in told if re.fullmatch(r"-?\d+(?:\.\d+)?", text)]
        near = [number + step for number in numbers for step in (0, 1, -1, 0.5)] + [
            0.0,
            1.0,
            0.5,
            -1.0,
            10.0,
            50.0,
            100.0,
        ]
        if family not in ("float", "numeric"):
            near = [number for number in near if number.is_integer()]
        found += [int(number) if number.is_integer() else number for number in near]
    elif family == "boolean":
        found += [1, 0] if dialect == "sqlite" else ["true", "false"]
    elif family in ("varchar", "char", "text", "other"):
        lengths = [int(text) for text in told if text.isdigit() and 0 < int(text) <= 1000]
        found += [*told, *("a" * length for length in lengths), *("a" * (length + 1) for length in lengths)]
        own = [str(number), f"a{number}", f"A{number}", f"a{number}@b.example"]
        found += [*own, "a", "A", "1", "abc", "", "https://a.example/", "2001-01-01", "{}", "[]"]
    elif family in ("date", "timestamp", "timestamptz"):
        found += [*told, "2101-01-01", "1991-01-01", "2001-01-01"]
    elif family == "json":
        found += [*told, "{}", "[]", "null"]
    else:
        found += told
    limit = kind.meaning.length
    fitting = [one for one in found if limit is None or not isinstance(one, str) or len(one) <= limit]
    return list(dict.fromkeys(fitting))


_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = frozenset({"text", "varchar", "char"})


def narrower(kind: Kind, other: Kind) -> Kind:
    """A kind whose values fit both: the shorter text, the smaller number; of a text and something else, its text."""
    lengths = [one.meaning.length for one in (kind, other) if one.meaning.length is not None]
    labels = tuple(label for label in kind.labels if not other.labels or label in other.labels)
    meaning = replace(kind.meaning, length=min(lengths) if lengths else None)
    if kind.meaning.family in _INTEGERS and other.meaning.family in _INTEGERS:
        meaning = replace(meaning, family=min(kind.meaning.family, other.meaning.family, key=_INTEGERS.index))
    written_as = kind.written_as
    if kind.meaning.family in _TEXTS and other.meaning.family not in (*_TEXTS, "other", "any"):
        written_as = other.meaning
    return replace(
        kind,
        meaning=meaning,
        written_as=written_as,
        labels=labels,
        checks=(*kind.checks, *other.checks),
        nullable=kind.nullable and other.nullable,
    )
