"""What stands in the places of a pattern: the names that were chosen, and what the migrations so far made of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from runner.dialects import connect
from runner.domain.ddl import effects
from runner.domain.ddl_table import Column
from runner.domain.migration import Dialect, Migration
from runner.domain.names import identifier, literal, literal_of
from runner.domain.outline import Outline
from runner.domain.rebuild import body, with_constraint, with_type
from runner.domain.sql import statements
from runner.errors import UsageError
from runner.patterns import Pattern

_HELP = "See 'maxwell-db new --help'."
_TYPE = re.compile(r"[A-Za-z_][\w ]*(?:\(\s*\d+(?:\s*,\s*\d+)?\s*\))?(?:[\w ]*)(?:\[\])*")


@dataclass(frozen=True)
class Choice:
    """What was chosen for a pattern; None: nothing."""

    table: str | None = None
    column: str | None = None
    to: str | None = None
    type: str | None = None
    default: str | None = None
    group: str | None = None
    keys: str | None = None
    parent: str | None = None
    key: str | None = None


def pattern_values(
    pattern: Pattern, choice: Choice, dialect: Dialect, folder: Path, migrations: Sequence[Migration]
) -> dict[str, str]:
    """A value for every place of a pattern's texts in one dialect. UsageError where something is missing or unknown."""
    given = {name: value for name, value in vars(choice).items() if value is not None}
    _refuse_wrong_options(pattern, given)
    if not pattern.needs:
        return {}
    outline, columns = _follow(migrations, dialect)
    names = {name: value.lower() if dialect == "sqlite" else value for name, value in given.items()}
    table, column = names.get("table", ""), names.get("column", "")
    _refuse_unknown(pattern, names, outline, folder)
    known = columns.get((table, column))
    parent_key = columns.get((names.get("parent", ""), names.get("key", "id")))
    type = given.get("type", known.type if known and known.type else "TEXT")
    default = given.get("default", "")
    values = {name: identifier(value) for name, value in given.items() if name not in ("type", "default", "keys")}
    values |= {
        "type": type,
        "old_type": known.type if known and known.type else "TEXT",
        "default": literal_of(type, default),
        "key": identifier(given.get("key", "id")),
        "key_type": given.get("type", parent_key.type if parent_key and parent_key.type else "VARCHAR(36)"),
        "index": identifier(f"idx_{table}_{column or 'name'}"),
        "constraint": identifier(f"fk_{table}_{column}"),
        "before": identifier(f"{column}_before"),
        "rebuilt": identifier(f"{table}_new"),
    }
    if pattern.name == "restructure-json":
        keys = [key.strip() for key in given["keys"].split(",") if key.strip()]
        values |= {
            "keys": ", ".join(map(literal, keys)),
            "key_names": ", ".join(keys),
            "group": literal(given["group"]),
            "group_name": given["group"],
        }
    if pattern.name == "add-foreign-key":
        values |= _index_for_key(outline, table, column, values)
    if dialect == "sqlite" and pattern.name in ("rebuild-table", "add-foreign-key"):
        values |= _rebuild(pattern, migrations, table, column, values)
    return values


def _refuse_wrong_options(pattern: Pattern, given: dict[str, str]) -> None:
    missing = [name for name in pattern.needs if not given.get(name)]
    if missing:
        options = ", ".join(f"--{name}" for name in missing)
        raise UsageError(
            f"the pattern {pattern.name} needs {options}", code="USAGE", hint="See 'maxwell-db new --help'."
        )
    foreign = sorted(given.keys() - {*pattern.needs, *pattern.takes})
    if foreign:
        what = f"the pattern {pattern.name}" if pattern.needs else "a migration without a pattern"
        raise UsageError(f"{what} has no use for --{foreign[0]}", code="USAGE", hint=_HELP)
    if not _TYPE.fullmatch(given.get("type", "TEXT")):
        raise UsageError(f"'{given['type']}' is not a type", code="USAGE", hint="Correct --type.")


def _follow(migrations: Sequence[Migration], dialect: Dialect) -> tuple[Outline, dict[tuple[str, str], Column]]:
    """The schema as the files make it, and each column's definition."""
    outline = Outline()
    columns: dict[tuple[str, str], Column] = {}
    for migration in migrations:
        for statement in statements(migration.apply.text, dialect):
            for effect in effects(statement.text, dialect):
                outline.follow(effect)
                if effect.kind == "table" and effect.verb == "rename":
                    moved = {key: one for key, one in columns.items() if key[0] == effect.name}
                    columns |= {(effect.to, name): one for (_, name), one in moved.items()}
                elif effect.kind == "column" and effect.verb == "rename":
                    columns[(effect.table, effect.to)] = columns.get((effect.table, effect.name), Column(effect.to, 0))
                elif effect.verb == "create" and effect.kind in ("table", "column"):
                    columns |= {(effect.table or effect.name, one.name): one for one in effect.columns}
    return outline, columns


def _refuse_unknown(pattern: Pattern, given: dict[str, str], outline: Outline, folder: Path) -> None:
    """What is to be changed has to be there, and what is to be made must not."""
    table, column = given["table"], given.get("column", "")
    if pattern.name == "create-table":
        if table in outline.tables:
            raise UsageError(
                f"{folder} makes a table {table} already", code="NAME_TAKEN", hint="Choose another --table."
            )
        return
    for name in filter(None, (table, given.get("parent"))):
        if name not in outline.tables:
            known = ", ".join(sorted(outline.tables)) or "none"
            raise UsageError(
                f"no migration in {folder} makes a table {name}", code="NO_SUCH_TABLE", hint=f"The tables are: {known}."
            )
    there = outline.tables[table]
    adds = pattern.name in ("add-column", "add-reference")
    made = column if adds else given.get("to", "")
    if made and made in there.columns:
        raise UsageError(f"{table} has a column {made} already", code="NAME_TAKEN", hint="Choose another name.")
    if not adds and column not in there.columns and not there.opaque:
        known = ", ".join(sorted(there.columns))
        raise UsageError(
            f"{table} has no column {column}", code="NO_SUCH_COLUMN", hint=f"The columns of {table} are: {known}."
        )


def _index_for_key(outline: Outline, table: str, column: str, values: dict[str, str]) -> dict[str, str]:
    """An index on the referring column, unless there is one that begins with it."""
    indexed = [*outline.tables[table].indexed]
    indexed += [columns for index in outline.indexes.values() if index.table == table for columns in index.columns]
    if any(columns[:1] == (column,) for columns in indexed):
        return {"index_first": "", "index_last": "", "own_index": ""}
    make = f"CREATE INDEX {values['index']} ON {values['table']} ({values['column']});"
    return {
        "index_first": "-- A row of the parent that goes is looked for here.\n"
        "-- lint-ignore: squawk/require-concurrent-index-creation the key locks the table in any case\n"
        f"{make}\n\n",
        "index_last": f"\n\nDROP INDEX {values['index']};",
        "own_index": f"\n\n-- A row of the parent that goes is looked for here.\n{make}",
    }


def _rebuild(
    pattern: Pattern, migrations: Sequence[Migration], table: str, column: str, values: dict[str, str]
) -> dict[str, str]:
    """SQLite's table as it is after all migrations, and with the change: both are written out in full."""
    from runner.dialects.sqlite_table import table_text
    from runner.domain.url import parse_url
    from runner.operations.expected import build
    from runner.scratch import scratch_database

    with scratch_database(parse_url("sqlite:///scratch.db")) as url, closing(connect(url, create=True)) as connection:
        build(url, connection, migrations)
        found = table_text(connection, table)
    assert found is not None  # the outline has it
    if pattern.name == "rebuild-table":
        changed = with_type(found.create, column, values["type"])
    else:
        key = f"FOREIGN KEY ({values['column']}) REFERENCES {values['parent']} ({values['key']})"
        changed = with_constraint(found.create, f"CONSTRAINT {values['constraint']} {key}")
    drops = "".join(f"DROP {kind.upper()} {identifier(name)};\n\n" for kind, name, _ in reversed(found.others))
    again = [*found.own, *(sql for _, _, sql in found.others)]
    objects = "\n\n-- What went with the old table.\n" + "\n\n".join(f"{sql};" for sql in again) if again else ""
    return {
        "columns": "\n    ".join(wrap(", ".join(map(identifier, found.columns)), 110)),
        "new_body": f"{body(changed)}",
        "old_body": f"{body(found.create)}",
        "drops": drops,
        "objects": objects,
        "objects_with_index": objects + values.get("own_index", ""),
    }
