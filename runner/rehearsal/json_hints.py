"""Which texts are JSON, and with which keys: told by no catalog, but by the migrations that take them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.domain.migration import Dialect
from runner.domain.sql import tokens

_PATH = re.compile(r"\$((?:\.\w+)+)")


@dataclass(frozen=True)
class JsonHints:
    """The names of columns that hold JSON, in lower case, and the keys that stand at the top of it."""

    columns: frozenset[str] = frozenset()
    keys: tuple[str, ...] = ()

    def document(self, number: int) -> str:
        """An object with these keys; another one for each number."""
        import json

        return json.dumps({"number": number} | dict.fromkeys(self.keys, number))


def json_hints(texts: Iterable[str], dialect: Dialect) -> JsonHints:
    """What the texts of migrations say: ``json_extract(prefs, '$.size')``, ``prefs -> 'size'``."""
    columns: set[str] = set()
    keys: dict[str, None] = {}
    inner: set[str] = set()
    for text in texts:
        words = [token for token in tokens(text, dialect) if token.kind != "comment"]
        for place, token in enumerate(words):
            after = words[place + 1 :][:2]
            if (
                token.kind == "word"
                and token.text.lower().startswith("json")
                and [one.text for one in after[:1]] == ["("]
            ):
                columns |= {_name(one.text) for one in after[1:] if one.kind in ("word", "name")}
            elif token.kind in ("word", "name") and after and after[0].text in ("->", "->>"):
                columns.add(_name(token.text))
                keys |= dict.fromkeys(one.text[1:-1] for one in after[1:] if one.text.strip("'").isidentifier())
            elif token.kind == "literal" and (path := _PATH.fullmatch(token.text.strip("'"))):
                first, *rest = path[1][1:].split(".")
                if rest:
                    inner.add(first)
                else:
                    keys[first] = None
    return JsonHints(frozenset(columns), tuple(key for key in keys if key not in inner))


def _name(text: str) -> str:
    return text.rpartition(".")[2].strip('"').lower()
