"""Columns, times and numbers as they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(rows: list[list[str]], paints: Sequence[str] | None) -> list[str]:
    """Rows as aligned columns; the first cell of each painted in its colour."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    line = "  ".join(f"{{:<{width}}}" for width in widths).format
    lines = [line(*row).rstrip() for row in rows]
    for number, paint in enumerate(paints or ()):
        if paint:
            lines[number] = f"\033[{paint}m{lines[number][: widths[0]]}\033[0m{lines[number][widths[0] :]}"
    return lines


def duration(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def seconds(at: str | None) -> str:
    return (at or "")[:19].replace("T", " ")


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
