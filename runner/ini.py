"""Reading an ini file as yoyo reads it: with the files that it inherits and includes, and with its interpolation."""

from __future__ import annotations

import configparser
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path


def joined(path: Path) -> Iterator[configparser.ConfigParser]:
    """The file with what it inherits, before it, and includes, after it: of one key the last one counts.

    The order is yoyo's. Its own reader is of no use here: it mixes its keys into ours.
    """
    path = path.resolve()
    parsers: dict[Path, configparser.ConfigParser] = {}
    order = deque([path])
    waiting: list[tuple[tuple[Path, ...], Path]] = [((), path)]
    while waiting:
        ancestors, file = waiting.pop()
        parsers[file] = parser = _parser(file)
        inherited, included = _named(parser, "%inherit", file), _named(parser, "%include", file)
        for other in (*inherited, *included):
            if other in (*ancestors, file):
                raise configparser.Error(f"{other} includes itself")
            waiting.append(((*ancestors, file), other))
        order.extendleft(inherited)
        order.extend(included)
    return (parsers[file] for file in order)


def _named(parser: configparser.ConfigParser, key: str, file: Path) -> list[Path]:
    """The files that a file names, from its own folder. One with a '?' before it need not be there."""
    names = parser["DEFAULT"].get(key, "").split() if parser.has_section("DEFAULT") else []
    paths = [((file.parent / name.removeprefix("?")).resolve(), name.startswith("?")) for name in names]
    return [path for path, optional in paths if not optional or path.exists()]


def _parser(path: Path) -> configparser.ConfigParser:
    """yoyo interpolates ``%(here)s`` and the environment. DEFAULT is read as a section, so that its keys, which are
    yoyo's, do not show in ours."""
    names = {name: value.replace("%", "%%") for name, value in os.environ.items()}
    names["here"] = str(path.parent).replace("%", "%%")
    parser = configparser.ConfigParser(default_section="no section has this name", interpolation=_Yoyo(names))
    with path.open(encoding="utf-8") as file:
        parser.read_file(file)
    return parser


class _Yoyo(configparser.BasicInterpolation):
    """yoyo's interpolation: the environment, ``here`` and yoyo's keys may be named, and are not keys themselves."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = {name.lower(): value for name, value in names.items()}

    def before_get(self, parser, section, option, value, defaults):  # type: ignore[no-untyped-def]
        yoyos = dict(parser.items("DEFAULT", raw=True)) if parser.has_section("DEFAULT") else {}
        return super().before_get(parser, section, option, value, {**self._names, **yoyos, **defaults})
