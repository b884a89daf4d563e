"""What each action of a mapping file makes of a value."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from runner.transfer.judging import as_decimal, judge, parse_time
from runner.transfer.model import Map, Text, Value
from runner.transfer.target import TargetColumn

_TRUE = frozenset({b"1", b"t", b"true", b"y", b"yes", b"on"})
_FALSE = frozenset({b"0", b"f", b"false", b"n", b"no", b"off", b""})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JULIAN_EPOCH = Decimal("2440587.5")


def settle(column: TargetColumn, table: str, value: Value, mapping: Map) -> tuple[Value, list[tuple[str, str]], bool]:
    """The value as the map has it, the kinds with their actions on the way, and whether it fits by now.

    A value may need several actions: cut after its NUL was removed, say. With ``quarantine`` the row does not go, and
    the value stays as it is.
    """
    steps: list[tuple[str, str]] = []
    while (kind := judge(column, value)) is not None:
        action = mapping.action(kind, table, column.name)
        if action is None or (kind, action) in steps:
            return value, [*steps, (kind, "")], False
        steps.append((kind, action))
        if action == "quarantine":
            return value, steps, True
        try:
            value = ACTIONS[action](column, value)
        except (ValueError, OverflowError, ArithmeticError):
            return value, [*steps, (kind, "")], False
    return value, steps, True


def _null(column: TargetColumn, value: Value) -> Value:
    return None


def _round(column: TargetColumn, value: Value) -> Value:
    if column.type == "float4":
        assert isinstance(value, int | float)
        return float(struct.unpack("f", struct.pack("f", value))[0])
    number = as_decimal(value)
    if number is None:
        raise ValueError
    if column.type == "float8":
        return float(number)
    scale = column.scale if column.type == "numeric" and column.scale is not None else 0
    with localcontext() as context:
        context.prec = 2000
        rounded = number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_EVEN)
    return Text(f"{rounded:f}".encode()) if column.type == "numeric" else int(rounded)


def _cut(column: TargetColumn, value: Value) -> Value:
    assert isinstance(value, Text)
    text = value.decode()
    if column.type in ("timestamp", "timestamptz", "time"):
        kept = column.length if column.length is not None else 6
        shorter = re.sub(r"\.(\d+)", lambda match: f".{match[1][:kept]}" if kept else "", text)
        return Text(shorter.encode())
    if column.length is not None:
        text = text[: column.length]
    return Text((text.rstrip(" ") if column.type == "bpchar" else text).encode())


def _remove(column: TargetColumn, value: Value) -> Value:
    assert isinstance(value, Text)
    return Text(value.replace(b"\0", b""))


def _replace(column: TargetColumn, value: Value) -> Value:
    assert isinstance(value, Text)
    return Text(value.decode("utf-8", "replace").encode())


def _latin1(column: TargetColumn, value: Value) -> Value:
    assert isinstance(value, Text)
    return Text(value.decode("latin-1").encode())


def _utf8(column: TargetColumn, value: Value) -> Value:
    """Bytes as the text that they are, and text as its bytes."""
    if column.type == "bytea":
        return bytes(value) if isinstance(value, Text) else str(value).encode()
    assert isinstance(value, bytes)
    value.decode()
    return Text(value)


def _hex(column: TargetColumn, value: Value) -> Value:
    assert isinstance(value, bytes)
    return Text(value.hex().encode())


def _as_text(column: TargetColumn, value: Value) -> Value:
    return Text(repr(value).encode())


def _to_utc(column: TargetColumn, value: Value) -> Value:
    """The same moment in UTC, without a zone."""
    assert isinstance(value, Text)
    parts = parse_time("timestamp", value)
    if parts is None or not parts["zone"]:
        raise ValueError
    zone = parts["zone"].replace("Z", "+0000").replace(":", "").ljust(5, "0")
    sign = -1 if zone[0] == "-" else 1
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5])) * sign
    year, month, day, hour, minute, second = (
        int(parts[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    local = datetime(year, month, day, hour, minute, second)
    moved = (local - offset).isoformat(" ")
    return Text((f"{moved}.{parts['fraction']}" if parts["fraction"] else moved).encode())


def _utc(column: TargetColumn, value: Value) -> Value:
    assert isinstance(value, Text)
    return Text(value + b"+00")


def _since(scale: Callable[[Decimal], Decimal]) -> Callable[[TargetColumn, Value], Value]:
    """A number of days or seconds as the time that it means, to the microsecond."""

    def convert(column: TargetColumn, value: Value) -> Value:
        number = as_decimal(value)
        if number is None or not number.is_finite():
            raise ValueError
        microseconds = int((scale(number) * 1_000_000).to_integral_value(ROUND_HALF_EVEN))
        moment = _EPOCH + timedelta(microseconds=microseconds)
        form = {"date": "%Y-%m-%d", "time": "%H:%M:%S.%f"}.get(column.type, "%Y-%m-%d %H:%M:%S.%f")
        text = moment.strftime(form)
        if column.type not in ("date",):
            text = text.rstrip("0").rstrip(".") if moment.microsecond else text[:-7]
        text = text.rjust(len(text) + 4 - text.index("-"), "0") if column.type != "time" else text
        return Text((f"{text}+00" if column.type == "timestamptz" else text).encode())

    return convert


def _words(column: TargetColumn, value: Value) -> Value:
    word = value.strip().lower() if isinstance(value, bytes) else str(value).encode()
    if word in _TRUE:
        return 1
    if word in _FALSE and word:
        return 0
    raise ValueError


def _nonzero(column: TargetColumn, value: Value) -> Value:
    if isinstance(value, bytes) or value is None:
        raise ValueError
    return int(value != 0)


ACTIONS: dict[str, Callable[[TargetColumn, Value], Value]] = {
    "cut": _cut,
    "hex": _hex,
    "julian": _since(lambda days: (days - _JULIAN_EPOCH) * 86400),
    "latin1": _latin1,
    "milliseconds": _since(lambda number: number / 1000),
    "nonzero": _nonzero,
    "null": _null,
    "remove": _remove,
    "replace": _replace,
    "round": _round,
    "seconds": _since(lambda number: number),
    "text": _as_text,
    "to-utc": _to_utc,
    "utc": _utc,
    "utf8": _utf8,
    "words": _words,
}
