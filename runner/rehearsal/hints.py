"""What no catalog tells of values: which texts are JSON, by what migrations do with them; which ones checks list."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.domain.migration import Dialect
from runner.domain.sql import tokens

if TYPE_CHECKING:
    from verify.model import Check

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


def told_by_checks(checks: Sequence[Check], dialect: Dialect) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """By table and column the values that a check lists as the only ones: ``column NOT IN ('a', 'b')``."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for check in checks:
        words = [token.text for token in tokens(check.sql, dialect) if token.kind != "comment"]
        for requirement in check.requires:
            table, _, column = requirement.lower().partition(".")
            for place, word in enumerate(words):
                if column and word.lower().rpartition(".")[2] == column:
                    rest = [one.upper() for one in words[place + 1 : place + 4]]
                    if rest == ["NOT", "IN", "("]:
                        end = words.index(")", place)
                        listed = words[place + 4 : end]
                        found[table, column] = tuple(
                            one[1:-1].replace("''", "'") for one in listed if one.startswith("'")
                        )
    return {key: values for key, values in found.items() if values}
