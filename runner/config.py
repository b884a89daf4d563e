"""``yoyo.ini``: one file configures yoyo (its own keys) and maxwell-db (section ``[maxwell-db]``).

Read in the working folder, or where ``--config`` says; never in a parent folder, where yoyo would look too and find
somebody else's database.
"""

from __future__ import annotations

import configparser
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from runner.errors import UsageError

FILE = "yoyo.ini"
SECTION = "maxwell-db"

#: The options that the section may set, under their long names without dashes in front.
KEYS = frozenset(
    {
        "allow-out-of-order",
        "backup-dir",
        "checks",
        "database",
        "ddl-lock-timeout",
        "ddl-lock-try",
        "disconnect",
        "exact",
        "fail-on",
        "from",
        "gate",
        "ignore",
        "json",
        "keep",
        "keep-days",
        "junit",
        "lock-wait",
        "log-format",
        "map",
        "migrate",
        "no-color",
        "metrics",
        "no-backup",
        "no-verify",
        "on-failure",
        "pg-bin",
        "protected",
        "quiet",
        "rehearse",
        "rows",
        "sample",
        "scratch",
        "single-transaction",
        "sql",
        "squawk",
        "statement-timeout",
        "strict",
        "to",
        "verbose",
    }
)


def read_settings(given: str | None) -> dict[str, str]:
    """The settings of the section, by option name; ``database`` may be yoyo's own. Empty where there is no file.

    UsageError names the file, and what is wrong with it.
    """
    path = Path(given or FILE)
    if not path.is_file():
        if given is None:
            return {}
        raise UsageError(
            f"no such configuration file: {path}", code="NO_SUCH_CONFIG", hint="Correct --config, or leave it out."
        )
    ours: dict[str, str] = {}
    database = None
    try:
        for parser in _joined(path):
            yoyos = parser["DEFAULT"] if parser.has_section("DEFAULT") else {}
            database = yoyos.get("database", database)
            if SECTION in parser:
                ours |= {key.replace("_", "-"): value for key, value in parser[SECTION].items()}
    except FileNotFoundError as error:
        raise _bad(path, f"inherits a file that is not there: {error}") from error
    except (configparser.Error, UnicodeDecodeError, OSError) as error:
        raise _bad(path, f"cannot be read: {' '.join(str(error).split())}") from error
    unknown = sorted(ours.keys() - KEYS)
    if unknown:
        keys = ", ".join(sorted(KEYS))
        raise _bad(path, f"unknown key '{unknown[0]}' in [{SECTION}]; the keys are {keys}")
    return ours if database is None else {"database": database} | ours


def _joined(path: Path) -> Iterator[configparser.ConfigParser]:
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


def _bad(path: Path, problem: str) -> UsageError:
    return UsageError(problem, code="BAD_CONFIG", hint="Correct the file.", file=path)
