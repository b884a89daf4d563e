"""Names and values written into SQL: always quoted, so that a hostile name is only a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Dialect = Literal["sqlite", "postgres"]


def quote_identifier(name: str) -> str:
    """``name`` as an identifier of either dialect."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """``text`` as a string of either dialect (backslashes mean nothing in a standard string)."""
    return "'" + text.replace("'", "''") + "'"


def as_text(expression: str, dialect: Dialect) -> str:
    """An expression that shows a value as text; NULL stays NULL."""
    if dialect == "postgres":
        return f"CAST({expression} AS text)"
    # Bytes are shown as SQL writes them: cast to text they would be read as UTF-8, which they need not be.
    return (
        f"CASE typeof({expression}) WHEN 'blob' THEN 'x''' || hex({expression}) || '''' "
        f"ELSE CAST({expression} AS TEXT) END"
    )


def joined(expressions: Iterable[str]) -> str:
    """The texts with commas between them; NULL as soon as one of them is NULL."""
    return " || ',' || ".join(expressions)
