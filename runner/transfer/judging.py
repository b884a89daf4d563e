"""The rule for one value: may a column of the target hold it exactly as it is meant? If not, of which kind is that?

What SQL finds suspicious is judged here; SQL may suspect too much, and never too little.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from runner.transfer.model import Text, Value
from runner.transfer.target import TargetColumn

INTEGERS = {"int2": 15, "int4": 31, "int8": 63}
TEXTS = frozenset({"text", "varchar", "bpchar"})
TIMES = frozenset({"date", "time", "timestamp", "timestamptz"})

_DATE = r"(?P<year>\d{4}|[1-9]\d{4,5})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
ZONE = r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)"
_GRAMMAR = {
    "date": re.compile(_DATE, re.ASCII),
    "time": re.compile(f"{_TIME}{ZONE}?", re.ASCII),
    "timestamp": re.compile(f"{_DATE}(?:[ T]{_TIME}{ZONE}?)?", re.ASCII),
    "timestamptz": re.compile(f"{_DATE}[ T]{_TIME}{ZONE}?", re.ASCII),
}
_LAST_YEAR = {"date": 999999, "timestamp": 294275, "timestamptz": 9998}
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,6})?", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def judge(column: TargetColumn, value: Value) -> str | None:
    """The kind of finding that ``value`` is in ``column``; None: PostgreSQL holds it as it is meant."""
    if value is None:
        return "null-in-not-null" if column.not_null else None
    if column.type in INTEGERS:
        return _integer(value, INTEGERS[column.type])
    if column.type in TEXTS:
        return _text(column, value)
    if column.type in TIMES:
        return _time(column, value)
    rule = _RULES.get(column.type)
    return rule(column, value) if rule else "unsupported-type"


def _integer(value: Value, bits: int) -> str | None:
    if isinstance(value, float):
        return "fraction"
    if not isinstance(value, int):
        return "not-a-number"
    return None if -(1 << bits) <= value < 1 << bits else "out-of-range"


def _double(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, bytes):
        return "not-a-number"
    if isinstance(value, int):
        return None if int(float(value)) == value else "precision"
    return None


def _single(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, bytes) or value is None:
        return "not-a-number"
    if math.isinf(value):
        return None
    try:
        held = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return "out-of-range"
    return None if held == value else "precision"


def _numeric(column: TargetColumn, value: Value) -> str | None:
    number = as_decimal(value)
    if number is None:
        return "not-a-number"
    if not number.is_finite():
        return "out-of-range"
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if not any(digits):
        return None
    while digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    whole = len(digits) - next(place for place, digit in enumerate(digits) if digit) + exponent
    if column.precision is None or column.scale is None:
        return "out-of-range" if whole > 100_000 or -exponent > 16_000 else None
    if -exponent > column.scale:
        return "precision"
    return "out-of-range" if whole > column.precision - column.scale else None


def as_decimal(value: Value) -> Decimal | None:
    """A number as it is meant: of a double the shortest digits that mean it; of text a plain decimal number."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, Text):
        try:
            text = value.decode("ascii")
            return Decimal(text) if _DECIMAL.fullmatch(text) else None
        except (UnicodeDecodeError, InvalidOperation):
            return None
    return None


def _boolean(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, Text):
        return None if value in (b"true", b"false") else "not-a-boolean"
    return None if isinstance(value, int) and value in (0, 1) else "not-a-boolean"


def _text(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, int | float):
        return "number-in-text"
    if not isinstance(value, Text):
        return "blob-in-text"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "invalid-utf8"
    if "\0" in text:
        return "nul-character"
    if column.type == "bpchar" and text.endswith(" "):
        return "trailing-blanks"
    if column.length is not None and len(text) > column.length:
        return "too-long"
    return None


def _bytes(column: TargetColumn, value: Value) -> str | None:
    return None if isinstance(value, bytes) and not isinstance(value, Text) else "not-bytes"


def _uuid(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, Text) and _UUID.fullmatch(value.decode("latin-1")):
        return None
    return "not-a-uuid"


def _enum(column: TargetColumn, value: Value) -> str | None:
    if not isinstance(value, Text):
        return "not-in-enum"
    return None if value.decode("utf-8", "replace") in column.labels else "not-in-enum"


def _json(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, int):
        return None
    if isinstance(value, float):
        return None if math.isfinite(value) else "not-json"
    if not isinstance(value, Text):
        return "blob-in-text"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "invalid-utf8"
    if "\0" in text:
        return "nul-character"
    try:
        parsed = json.loads(
            text,
            parse_constant=_refuse,
            parse_int=Decimal,
            parse_float=Decimal,
            object_pairs_hook=_unique if column.type == "jsonb" else None,
        )
    except (ValueError, RecursionError, InvalidOperation):
        return "not-json"
    return "not-json" if column.type == "jsonb" and "\\u" in text and not _storable(parsed) else None


def _refuse(name: str) -> None:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """jsonb keeps the last of equal keys; the others would be lost."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _storable(parsed: Any) -> bool:
    """Neither NUL nor half of a surrogate pair, in any string."""
    if isinstance(parsed, str):
        return "\0" not in parsed and not any("\ud800" <= letter <= "\udfff" for letter in parsed)
    if isinstance(parsed, dict):
        return all(_storable(key) and _storable(each) for key, each in parsed.items())
    return all(map(_storable, parsed)) if isinstance(parsed, list) else True


def _time(column: TargetColumn, value: Value) -> str | None:
    if isinstance(value, int | float):
        return "epoch"
    if not isinstance(value, Text):
        return "bad-date"
    parts = parse_time(column.type, value)
    if parts is None:
        return "bad-date"
    if parts["zone"] and column.type != "timestamptz":
        return "time-zone"
    if column.type == "timestamptz" and not parts["zone"]:
        return "no-zone"
    fraction = (parts["fraction"] or "").rstrip("0")
    return "fine-fraction" if len(fraction) > (column.length if column.length is not None else 6) else None


def parse_time(type_name: str, value: bytes) -> dict[str, str | None] | None:
    """The parts of a date or time in strict ISO form; None if it is not in that form, or there is no such time."""
    try:
        match = _GRAMMAR[type_name].fullmatch(value.decode("ascii"))
    except UnicodeDecodeError:
        return None
    if match is None:
        return None
    parts: dict[str, str | None] = {"zone": None, "fraction": None, "hour": None} | match.groupdict()
    if type_name != "time" and not _is_day(parts, _LAST_YEAR[type_name]):
        return None
    if parts["hour"] is not None:
        if int(parts["hour"]) > 23 or int(parts["minute"] or 0) > 59 or int(parts["second"] or 0) > 59:
            return None
        zone = (parts["zone"] or "Z").replace(":", "")
        if zone != "Z" and (int(zone[1:3]) > 14 or int(zone[3:] or 0) > 59):
            return None
    return parts


def _is_day(parts: dict[str, str | None], last_year: int) -> bool:
    year, month, day = (int(parts[name] or 0) for name in ("year", "month", "day"))
    if not (1 <= year <= last_year and 1 <= month <= 12 and 1 <= day <= _MONTHS[month - 1]):
        return False
    return (month, day) != (2, 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


_RULES: dict[str, Callable[[TargetColumn, Value], str | None]] = {
    "float8": _double,
    "float4": _single,
    "numeric": _numeric,
    "bool": _boolean,
    "bytea": _bytes,
    "uuid": _uuid,
    "enum": _enum,
    "json": _json,
    "jsonb": _json,
}


def shown(value: Value) -> str:
    """A value for a report: cut at 80 characters, bytes in hex."""
    if value is None:
        return "NULL"
    if isinstance(value, Text):
        try:
            text = repr(value.decode()[:80])
        except UnicodeDecodeError:
            text = f"text x'{value[:80].hex()}'"
        place = value.find(b"\0")
        more = f", NUL at byte {place}" if place >= 0 else ""
        return (text if len(text) <= 80 else f"{text[:77]}...") + more
    if isinstance(value, bytes):
        text = f"x'{value[:80].hex()}'"
        return text if len(text) <= 80 and len(value) <= 80 else f"{text[:77]}..."
    return repr(value)
