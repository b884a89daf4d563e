"""SQL over the source: which values are suspicious, the line that COPY is sent, the text that both sides agree on.

A NUL stands between values that are read together: no text that may be copied has one. The line goes to PostgreSQL's
own parser as it is; the canonical text is made on another way, so that the proof does not repeat an error of the copy.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

from runner.domain.quoting import quote_name
from runner.transfer.judging import INTEGERS, TEXTS, parse_time
from runner.transfer.target import TargetColumn

# Where texts are joined: no UTF-8 has these bytes.
NULL = b"\xff"
SEPARATOR = b"\xfe"  # between the values of a row
DOUBLE = b"\xfd"  # in the place of a double, whose bits are read beside the texts
SENT_NULL = b"\xfc"  # NULL on the way to COPY: not the same, so that no value that has the byte passes for NULL twice
NULL_SQL = "CAST(x'FF' AS TEXT)"
_SEPARATOR_SQL = "CAST(x'FE' AS TEXT)"
_DOUBLE_SQL = "CAST(x'FD' AS TEXT)"
_SENT_NULL_SQL = "CAST(x'FC' AS TEXT)"
_REAL = "printf('%!.20g', {0})"  # twenty digits: fewer read back as another double now and then
# Few doubles have more than six digits behind the point. Both a whole number of less than 2^53 and a million are exact
# as doubles, so that their quotient is the double next to the decimal number, which is what PostgreSQL reads of it.
_SHORT_REAL = (
    "CASE WHEN {0} BETWEEN -9e9 AND 9e9 AND round({0} * 1e6) / 1e6 = {0}"
    " THEN CAST(round({0} * 1e6) AS INTEGER) || 'e-6' ELSE " + _REAL + " END"
)
_ARGUMENTS = 90  # of one printf; SQLite takes 100 or more
_DEPTH = 50  # of an expression; SQLite takes 1000, and rather less where it runs in little memory

Normalise = Callable[[bytes], bytes]


def suspect(column: TargetColumn, value: str) -> str:
    """A condition that holds for every value that may not fit, never NULL itself. Python has the last word on them."""
    return _or_null(column, value, _suspect(column, value))


def suspect_in_chunk(column: TargetColumn, value: str) -> str:
    """The same for a quick look, which ``fits_in_chunk`` completes."""
    test = _suspect(column, value)
    if column.type == "timestamp":
        test = f"CASE WHEN length({value}) = 19 THEN typeof({value}) <> 'text' ELSE {test} END"
    return _or_null(column, value, test)


def _or_null(column: TargetColumn, value: str, test: str) -> str:
    null = "1" if column.not_null else "0"
    return f"(CASE WHEN {value} IS NULL THEN {null} ELSE {test} END)"


def disguised(column: TargetColumn, value: str) -> str | None:
    """A condition that holds for every value that does not fit though PostgreSQL may give the same text back for it.

    It is NULL for NULL. All else that does not fit the server refuses, or gives back as another text than the source's.
    """
    raw = f"+{value} COLLATE BINARY"  # by storage class alone: numbers are less than texts, and texts than bytes
    if column.type in INTEGERS or column.type == "bool":
        return f"{raw} >= ''"
    if column.type in TEXTS:
        return f"{raw} >= x'' OR {raw} < ''"
    if column.type == "float8":
        return f"{raw} NOT BETWEEN -9007199254740992 AND 9007199254740992"
    if column.type == "bytea":
        return f"{raw} < x''"
    if column.type in ("timestamp", "date"):
        # Of one length there is nothing but days and times; of others there are 'infinity' and years before Christ.
        length = 19 if column.type == "timestamp" else 10
        return f"{raw} >= x'' OR (length({value}) <> {length} AND {_suspect(column, value)})"
    return None


#: Types of which both sides have one text, doubles by their bits: what ``disguised`` does not know is not among them.
SAME_TEXT = INTEGERS.keys() | set(TEXTS) | {"bool", "float8", "bytea", "timestamp", "date"}


_MONTH_DAY = (
    rb"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
)
_MOMENT = rb"(?:(?!0000)\d{4}-" + _MONTH_DAY + rb" (?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,6})?|\xff)"
_MOMENTS = re.compile(_MOMENT + rb"(?:\x00" + _MOMENT + rb")*")


def fits_in_chunk(column: TargetColumn, blob: bytes, rows: int, nulls: int) -> bool:
    """Do the joined values of a column, of which SQL suspects none, fit all together? Not sure is no."""
    if column.type == "timestamp":
        return _MOMENTS.fullmatch(blob) is not None
    if column.type not in TEXTS:
        return True
    # Valid UTF-8 throughout, and no NUL but those between them.
    if blob.count(b"\0") != rows - 1 or blob.count(NULL) != nulls:
        return False
    try:
        (blob.translate(None, NULL) if nulls else blob).decode()
    except UnicodeDecodeError:
        return False
    return True


def _suspect(column: TargetColumn, value: str) -> str:
    if column.type in INTEGERS:
        low = -(1 << INTEGERS[column.type])
        bounds = "" if column.type == "int8" else f" OR {value} NOT BETWEEN {low} AND {-low - 1}"
        return f"typeof({value}) <> 'integer'{bounds}"
    if column.type in TEXTS:
        length = f" OR length({value}) > {column.length}" if column.length is not None else ""
        blanks = f" OR substr({value}, -1) = ' '" if column.type == "bpchar" else ""
        return f"typeof({value}) <> 'text'{length}{blanks}"
    if column.type == "bool":
        return f"NOT (typeof({value}) = 'integer' AND {value} IN (0, 1))"
    if column.type == "float8":
        exact = "BETWEEN -9007199254740992 AND 9007199254740992"
        return f"NOT (typeof({value}) = 'real' OR (typeof({value}) = 'integer' AND {value} {exact}))"
    if column.type == "bytea":
        return f"typeof({value}) <> 'blob'"
    if column.type in ("timestamp", "date"):
        return f"NOT ({_plain_time(column, value)})"
    return "1"


def _plain_time(column: TargetColumn, value: str) -> str:
    """The common forms, told without Python: a day that there is, a time to the second or with six digits."""
    day = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
    time = f"{day}[ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
    first = f"substr({value}, 1, 10)"
    exists = (
        f"substr({value}, 1, 4) > '0000' AND substr({value}, 6, 2) BETWEEN '01' AND '12'"
        f" AND (substr({value}, 9, 2) BETWEEN '01' AND '28' OR date({first}, '+0 days') = {first})"
    )
    if column.type == "date":
        return f"typeof({value}) = 'text' AND length(CAST({value} AS BLOB)) = 10 AND {value} GLOB '{day}' AND {exists}"
    size, digits = f"length(CAST({value} AS BLOB))", "[0-9]" * 6
    fraction = f" OR ({size} = 26 AND substr({value}, 20) GLOB '.{digits}')" if column.length == 6 else ""
    return (
        f"typeof({value}) = 'text' AND substr({value}, 1, 19) GLOB '{time}' AND substr({value}, 12, 2) < '24'"
        f" AND ({size} = 19{fraction}) AND {exists}"
    )


def line(columns: Sequence[tuple[TargetColumn, str]]) -> str:
    """One row as a line of CSV with ' as quote and a bare NULL, as PostgreSQL's COPY reads it, with its end."""
    return _printed("%Q", ",", [_sent(*each) for each in columns])


def plain_line(columns: Sequence[tuple[TargetColumn, str]]) -> str:
    """One row as a line of COPY's text form, with its end, if no value has a character that is written otherwise."""
    return _printed("%s", "\t", [f"ifnull({_sent(*each)}, {_SENT_NULL_SQL})" for each in columns])


def _printed(form: str, separator: str, values: Sequence[str]) -> str:
    parts = []
    for start in range(0, len(values), _ARGUMENTS):
        some = values[start : start + _ARGUMENTS]
        end = "\n" if start + _ARGUMENTS >= len(values) else separator
        parts.append(f"printf('{separator.join([form] * len(some))}{end}', {', '.join(some)})")
    return " || ".join(parts)


def row_text(columns: Sequence[tuple[TargetColumn, str]]) -> str:
    """The canonical texts of a row in one, with ``SEPARATOR`` between them; doubles are left open, as ``DOUBLE``."""
    return _joined(
        [_place_of_double(value) if column.type == "float8" else canonical(column, value) for column, value in columns]
    )


def _place_of_double(value: str) -> str:
    return f"CASE WHEN {value} IS NULL THEN {NULL_SQL} ELSE {_DOUBLE_SQL} END"


def _joined(texts: Sequence[str]) -> str:
    if len(texts) <= _DEPTH:
        return f" || {_SEPARATOR_SQL} || ".join(f"({text})" if " " in text else text for text in texts)
    half = len(texts) // 2
    return f"({_joined(texts[:half])}) || {_SEPARATOR_SQL} || ({_joined(texts[half:])})"


def _sent(column: TargetColumn, value: str) -> str:
    if column.type in ("float8", "float4"):
        return _digits(column, value)
    if column.type in ("numeric", "json", "jsonb"):
        return f"CASE typeof({value}) WHEN 'real' THEN maxwell_shortest({value}) ELSE {value} END"
    if column.type == "bytea":
        return f"CASE WHEN {value} IS NOT NULL THEN '\\x' || hex({value}) END"
    return value


def _digits(column: TargetColumn, value: str) -> str:
    if column.by_python:
        return f"CASE typeof({value}) WHEN 'real' THEN maxwell_shortest({value}) ELSE {value} END"
    zero = f"WHEN typeof({value}) = 'real' AND {value} = 0 THEN maxwell_shortest({value}) " if column.minus_zero else ""
    return f"CASE {zero}WHEN typeof({value}) = 'real' THEN {_REAL.format(value)} ELSE {value} END"


def digits_mean_the_doubles(connection: Any) -> bool:
    """Does this SQLite write doubles so that they read back the same? Some thousand are tried; the proof sees all."""
    random = Random(1)
    doubles = [value for (value,) in struct.iter_unpack("d", random.randbytes(8 * 3000)) if math.isfinite(value)]
    doubles += [random.random() * 10 ** random.randint(-5, 15) for _ in range(1000)]
    short = [random.randint(-(10**12), 10**12) / 10 ** random.randint(0, 6) for _ in range(1000)]
    return all(
        float(connection.execute(f"SELECT {real.format('?1')}", (value,)).fetchone()[0]) == value
        for real, values in ((_REAL, doubles), (_SHORT_REAL, short))
        for value in values
    )


def canonical(column: TargetColumn, value: str) -> str:
    """The text by which both sides are compared, NULL as ``NULL_SQL``; ``normaliser`` finishes it."""
    return f"ifnull({_canonical(column, value)}, {NULL_SQL})"


def _canonical(column: TargetColumn, value: str) -> str:
    if column.type in ("float8", "float4"):
        return _digits(column, value)
    if column.type in ("numeric", "json", "jsonb"):
        return f"CASE typeof({value}) WHEN 'real' THEN maxwell_shortest({value}) ELSE {value} END"
    if column.type == "bool":
        return f"CASE {value} WHEN 0 THEN 'f' WHEN 1 THEN 't' WHEN 'true' THEN 't' WHEN 'false' THEN 'f' END"
    if column.type == "bytea":
        return f"CASE WHEN {value} IS NOT NULL THEN '\\x' || lower(hex({value})) END"
    if column.type == "uuid":
        return f"lower({value})"
    if column.type == "timestamp":
        text = f"replace({value}, 'T', ' ')"
        return (
            f"CASE WHEN length({value}) = 19 AND substr({value}, 11, 1) <> 'T' THEN {value}"
            f" WHEN length({value}) = 19 THEN {text} WHEN instr({value}, ':') = 0 THEN {value} || ' 00:00:00'"
            f" ELSE {_with_seconds(text)} END"
        )
    if column.type == "time":
        return _with_seconds(value)
    return value


def _with_seconds(text: str) -> str:
    return (
        f"CASE WHEN instr({text}, '.') > 0 THEN rtrim(rtrim({text}, '0'), '.')"
        f" WHEN length({text}) - length(replace({text}, ':', '')) = 1 THEN {text} || ':00' ELSE {text} END"
    )


def target_bits(column: TargetColumn) -> str:
    """The text of ``row_text`` on PostgreSQL, doubles as the bytes of their bits."""
    return f"encode(float8send({quote_name(column.name)}), 'hex')" if column.type == "float8" else target_text(column)


def target_text(column: TargetColumn) -> str:
    """The same text on PostgreSQL, before ``normaliser``."""
    name = quote_name(column.name)
    cast = {"float4": "::float8", "bpchar": "::text"}.get(column.type, "")  # else as COPY writes the type
    return f"{name}{cast}"


def normaliser(column: TargetColumn) -> Normalise | None:
    """What makes one text of the texts that two databases have for one value, where SQL alone does not."""
    return _NORMALISERS.get(column.type)


def bits(number: float) -> bytes:
    """The canonical text of a double: its bits."""
    return struct.pack(">d", number).hex().encode()


def double_of(text: bytes) -> float:
    """The double of which this is the canonical text."""
    (number,) = struct.unpack(">d", bytes.fromhex(text.decode()))
    return float(number)


def _double(text: bytes) -> bytes:
    return bits(float(text))


def _number(text: bytes) -> bytes:
    number = Decimal(text.decode())
    if not number:
        return b"0"
    sign, digits, exponent = number.as_tuple()
    kept = "".join(map(str, digits)).lstrip("0")
    stripped = kept.rstrip("0")
    return f"{'-' * sign}{stripped}e{int(exponent) + len(kept) - len(stripped)}".encode()


def _instant(text: bytes) -> bytes:
    """A time with its zone as PostgreSQL writes it in UTC."""
    written = text.decode()
    if written.endswith("Z"):
        written = f"{written[:-1]}+00"
    parts = parse_time("timestamptz", written.encode())
    assert parts is not None and parts["zone"] is not None
    zone = f"{parts['zone'].replace(':', '')}00"[:5]
    fraction = (parts["fraction"] or "0").ljust(6, "0")
    local = f"{parts['year']}-{parts['month']}-{parts['day']} {parts['hour']}:{parts['minute']}"
    moment = datetime.strptime(f"{local}:{parts['second'] or '00'}.{fraction}{zone}", "%Y-%m-%d %H:%M:%S.%f%z")
    utc = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return utc.encode()


def _document(text: bytes) -> bytes:
    """A jsonb document: keys sorted, numbers by their value."""
    parsed = json.loads(text, parse_int=_Literal, parse_float=_Literal)
    return json.dumps(_marked(parsed), sort_keys=True, ensure_ascii=False).encode()


class _Literal(str):
    """A number of a document, as its canonical text."""

    def __new__(cls, text: str) -> _Literal:
        return super().__new__(cls, _number(text.encode()).decode())


def _marked(parsed: Any) -> Any:
    """With numbers told from strings, now that both are strings."""
    if isinstance(parsed, _Literal):
        return {"number": str(parsed)}
    if isinstance(parsed, dict):
        return {f"key {key}": _marked(each) for key, each in parsed.items()}
    return [_marked(each) for each in parsed] if isinstance(parsed, list) else parsed


_NORMALISERS: dict[str, Normalise] = {
    "float8": _double,
    "float4": _double,
    "numeric": _number,
    "timestamptz": _instant,
    "jsonb": _document,
}
