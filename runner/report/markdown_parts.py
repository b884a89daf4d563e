"""Pieces of Markdown that come again: a table, a fold, code and words that stay what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from runner.report.text import count, plain

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~])")


def folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{html(title)}</summary>", "", *lines, "", "</details>"]


def fitting(rows: Sequence[list[str]], room: int) -> tuple[list[list[str]], int]:
    """The rows that fit into so many bytes, and how many do not."""
    kept: list[list[str]] = []
    for row in rows:
        room -= sum(size(cell) + 3 for cell in row) + 2
        if room < 0:
            break
        kept.append(row)
    return kept, len(rows) - len(kept)


def not_shown(number: int, noun: str) -> list[str]:
    return ["", f"*And {count(number, noun)} more.*"] if number else []


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows)]


def code(text: str) -> str:
    """``text`` as code on one line, whatever it holds; also in a cell of a table."""
    text = plain(text).replace("|", "\\|")
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    blank = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def words(text: str) -> str:
    """``text`` as nothing but words: no markup, no HTML, nobody called by an @."""
    escaped = html(_SPECIAL.sub(r"\\\1", plain(text)))
    return escaped.replace("@", "@<!-- -->")


def html(text: str) -> str:
    return plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def size(text: str) -> int:
    """In bytes, of which there are never fewer than characters."""
    return len(text.encode("utf-8", "replace"))
