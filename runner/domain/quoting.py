"""Names and texts written into SQL, always quoted, so that a hostile name is only a name."""

from __future__ import annotations


def quote_name(name: str) -> str:
    """``name`` as an identifier of either dialect."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """``text`` as a string of either dialect."""
    return "'" + text.replace("'", "''") + "'"
