"""What a default and a condition mean, in either dialect's words: what two dialects are compared by."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.catalog.model import Column
from runner.catalog.types import TEXTS, type_meaning
from runner.domain.migration import Dialect
from runner.domain.sql import tokens


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
    if _NUMBER.fullmatch(_unquoted(text)) and (family not in TEXTS or not text.startswith("'")):
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
