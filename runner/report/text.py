"""Text that came from elsewhere, made safe: for HTML, for SVG and for Markdown; what cannot be seen is named."""

from __future__ import annotations

import html
import re
import unicodedata

#: What changes how a line looks without being seen itself: controls, marks of direction, characters of no width.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)


def escape(text: str) -> str:
    """``text`` as HTML, in elements and in attributes with quotes; unseen characters as their numbers."""
    return _UNSEEN.sub(lambda match: _number(match[0]), html.escape(text, quote=True))


def marked(text: str) -> str:
    """``text`` as HTML for an element: an unseen character stands out, and its name is told."""
    return _UNSEEN.sub(_sign, html.escape(text, quote=True))


def plain(text: str) -> str:
    """``text`` on one line, with unseen characters as their numbers."""
    return _UNSEEN.sub(lambda match: _number(match[0]), " ".join(text.split()))


def visible(text: str) -> str:
    """``text`` with its lines, and with unseen characters as their numbers."""
    return _UNSEEN.sub(lambda match: _number(match[0]), text)


def _number(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def _sign(match: re.Match[str]) -> str:
    name = unicodedata.name(match[0], "a control character")
    return f'<mark class="unseen" title="{html.escape(name)}">U+{ord(match[0]):04X}</mark>'


def width(text: str) -> int:
    """The cells that a text takes in a font of one width."""
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text
    )


def shortened(text: str, cells: int) -> str:
    """``text`` on one line, in so many cells, with an ellipsis where it was cut."""
    text = plain(text)
    if width(text) <= cells:
        return text
    kept, used = [], 1
    for one in text:
        used += width(one)
        if used > cells:
            break
        kept.append(one)
    return "".join(kept) + "…"


def count(number: int, noun: str) -> str:
    """``1 table``, ``2 tables``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", "\N{NO-BREAK SPACE}" if number > 9999 else "")
