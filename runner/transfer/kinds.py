"""Every kind of finding, and what a mapping file may do about it. Nothing is ever done by default."""

from __future__ import annotations

from dataclasses import dataclass

#: Actions by which something of the source does not arrive. They are asked about, and each value is written down.
LOSSY = frozenset({"cut", "default", "nonzero", "null", "quarantine", "remove", "replace", "round", "skip"})
_ANY = ("null", "quarantine")


@dataclass(frozen=True)
class Kind:
    """A kind of finding: what is wrong, in words, and the actions that may settle it."""

    reason: str
    actions: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "not-a-number": Kind("text or bytes in a column of numbers", _ANY),
    "fraction": Kind("a real number in a column of integers", ("round", *_ANY)),
    "out-of-range": Kind("the number is outside the column's range", _ANY),
    "precision": Kind("the column cannot hold the number exactly", ("round", *_ANY)),
    "not-a-boolean": Kind("neither 0, 1, true nor false", ("words", "nonzero", *_ANY)),
    "too-long": Kind("more characters than the column holds", ("cut", *_ANY)),
    "trailing-blanks": Kind("blanks at the end, which the column does not keep", ("cut", *_ANY)),
    "nul-character": Kind("a NUL character, which no text of PostgreSQL can hold", ("remove", *_ANY)),
    "invalid-utf8": Kind("not valid UTF-8", ("replace", "latin1", *_ANY)),
    "blob-in-text": Kind("bytes in a column of text", ("utf8", "hex", *_ANY)),
    "number-in-text": Kind("a number in a column of text", ("text", *_ANY)),
    "not-bytes": Kind("text or a number in a column of bytes", ("utf8", *_ANY)),
    "bad-date": Kind("not a date or time in strict ISO form that there is", _ANY),
    "epoch": Kind("a number in a column of dates or times", ("seconds", "milliseconds", "julian", *_ANY)),
    "time-zone": Kind("a time zone in a column without one", ("to-utc", *_ANY)),
    "no-zone": Kind("no time zone in a column with one", ("utc", *_ANY)),
    "fine-fraction": Kind("more fraction digits than the column keeps", ("cut", *_ANY)),
    "not-a-uuid": Kind("not a UUID in its usual form", _ANY),
    "not-json": Kind("not JSON that PostgreSQL would keep as it is", _ANY),
    "not-in-enum": Kind("not one of the type's values", _ANY),
    "unsupported-type": Kind("of values of this type no copy can be proven", ("null",)),
    "null-in-not-null": Kind("NULL in a column that must have a value", ("quarantine",)),
    "duplicate-key": Kind("the same key twice, as PostgreSQL compares", ("quarantine",)),
    "orphan": Kind("the row that it refers to is not there", ("null", "quarantine")),
    "extra-table": Kind("the target has no such table", ("skip",)),
    "extra-column": Kind("the target has no such column", ("skip",)),
    "missing-column": Kind("the source has no such column", ("default",)),
}
