"""Names and values as SQL writes them."""

from __future__ import annotations

import re

from runner.domain.quoting import quote_name

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_WORDS = """
    add all alter analyse analyze and any array as asc asymmetric autoincrement between both by case cast check collate
    column commit constraint create cross current_date current_role current_time current_timestamp current_user default
    deferrable delete desc distinct do drop else end escape except exists false fetch for foreign from full grant group
    having if in index initially inner insert intersect into is isnull join lateral leading left like limit localtime
    localtimestamp natural not notnull null offset on only or order outer placing primary references returning right
    select session_user set similar some symmetric table then to trailing transaction trigger true union unique update
    user using values variadic when where window with
"""
#: What both dialects, or one of them, reserve.
_RESERVED = frozenset(_WORDS.split())


def identifier(name: str) -> str:
    """A name, in quotes where it would be misread without them."""
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    return quote_name(name)


def literal_of(type: str, value: str) -> str:
    """A value as a literal of a type: a number or a truth without quotes, which SQLite would keep as text."""
    kind = type.upper()
    if kind.startswith("BOOL") and value.lower() in ("true", "false"):
        return value.upper()
    if _NUMBER.fullmatch(value) and any(word in kind for word in ("INT", "REAL", "DOUB", "FLOA", "NUM", "DEC")):
        return value
    return literal(value)


def literal(value: str) -> str:
    """A text as a literal that both dialects read alike."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
