"""Just enough of SQL's grammar to see where a statement ends: strings, quoted names and comments are stepped over."""

from __future__ import annotations

import re

_PIECES = re.compile(
    r"""
      (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?P<escaped> \b[eE]'(?:[^'\\]|\\.|'')*' )
    | (?P<string> '(?:[^']|'')*' )
    | (?P<name> "(?:[^"]|"")*" )
    | (?P<dollar> (?<![\w$]) (?: \$\$ .*? \$\$ | \$(?P<tag>[A-Za-z_]\w*)\$ .*? \$(?P=tag)\$ ) )
    | (?P<semicolon> ; )
    | (?P<space> \s+ )
    | (?P<word> \w+ )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)


def single_statement(sql: str) -> tuple[str, str, int | None]:
    """The first word in upper case, the statement without its semicolon, and where a second statement begins.

    The place is an index into ``sql``; None if there is only one statement.
    """
    bare = sql.strip()
    closed = bare.endswith(";") and "--" not in bare[bare.rfind("\n") + 1 :]
    if "/*" not in bare and bare.count(";") == closed:  # as most are: its only semicolon, if any, ends it
        return _first_word(bare), bare.removesuffix(";").strip() if closed else bare, None
    first = ""
    end: int | None = None
    place = 0
    while place < len(sql):
        match = _PIECES.match(sql, place)
        assert match is not None  # "other" takes any character
        place = match.end()
        kind = match.lastgroup
        if kind == "block":
            place = _end_of_block_comment(sql, place)
        elif kind == "semicolon":
            end = match.start() if end is None else end
        elif kind not in ("comment", "space"):
            if end is not None:
                return first, sql[:end], match.start()
            first = first or match.group().upper()
    return first, sql[: len(sql) if end is None else end].strip(), None


def _first_word(sql: str) -> str:
    for match in _PIECES.finditer(sql):
        if match.lastgroup not in ("comment", "space", "semicolon"):
            return match.group().upper()
    return ""


def _end_of_block_comment(sql: str, place: int) -> int:
    """Block comments nest on PostgreSQL; on SQLite the inner one is text, and ends the outer one."""
    depth = 1
    while depth and place < len(sql):
        if sql.startswith("/*", place):
            depth, place = depth + 1, place + 2
        elif sql.startswith("*/", place):
            depth, place = depth - 1, place + 2
        else:
            place += 1
    return place
