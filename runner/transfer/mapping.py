"""The mapping file: a small TOML in which a person settles, kind by kind, what does not fit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from runner.errors import UsageError
from runner.transfer.kinds import KINDS
from runner.transfer.model import Map


def read_map(path: Path) -> Map:
    """``[everywhere]``, ``[table.NAME]`` and ``[column."TABLE.COLUMN"]``, each KIND = "ACTION"; ``lost = "FILE"``.

    UsageError names the file, and what is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _bad(path, f"cannot be read: {error}") from error
    return _parse(path, data, text)


def map_of_text(text: str) -> Map:
    """The map that a transfer was made with, as the target's record has it."""
    return _parse(Path("the map of the transfer"), tomllib.loads(text), text)


def _parse(path: Path, data: dict[str, Any], text: str) -> Map:
    unknown = sorted(data.keys() - {"everywhere", "table", "column", "lost"})
    if unknown:
        raise _bad(path, f"'{unknown[0]}' means nothing here; there are everywhere, table, column and lost")
    lost = data.get("lost")
    if lost is not None and not (isinstance(lost, str) and lost):
        raise _bad(path, "'lost' names a file")
    columns: dict[tuple[str, str], dict[str, str]] = {}
    for name, entry in _tables(path, data, "table").items():
        columns[name, ""] = _actions(path, f"table.{name}", entry)
    for name, entry in _tables(path, data, "column").items():
        table, dot, column = name.partition(".")
        if not (dot and table and column):
            raise _bad(path, f"'{name}' is no column; write [column.\"TABLE.COLUMN\"]")
        columns[table, column] = _actions(path, f"column.{name}", entry)
    everywhere = _actions(path, "everywhere", _table(path, "everywhere", data.get("everywhere", {})))
    mapping = Map(everywhere, columns, path.parent / lost if lost else None, text)
    if mapping.loses_values and not lost:
        raise _bad(path, 'it lets values be lost, and does not say where to write them down: lost = "FILE"')
    return mapping


def _tables(path: Path, data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: _table(path, f"{name}.{key}", entry) for key, entry in _table(path, name, data.get(name, {})).items()}


def _table(path: Path, name: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise _bad(path, f"'{name}' is a table of kinds and actions")
    return entry


def _actions(path: Path, where: str, entry: dict[str, Any]) -> dict[str, str]:
    for kind, action in entry.items():
        if kind not in KINDS:
            raise _bad(path, f"[{where}]: there is no kind '{kind}'; the kinds are {', '.join(KINDS)}")
        if action not in KINDS[kind].actions:
            raise _bad(path, f"[{where}] {kind}: the actions are {', '.join(KINDS[kind].actions)}, and not {action!r}")
    return dict(entry)


def _bad(path: Path, problem: str) -> UsageError:
    return UsageError(problem, code="BAD_MAP", hint="Correct the file given as --map.", file=path)
