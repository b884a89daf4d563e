"""The schema that the Maxwell plan declares, version by version, and what a live database has, in the same words.

The declaration was written from the plan's SQLAlchemy calls, not from our SQL: a slip in one shows against the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.databases import Database

SQL = Path(__file__).parents[2] / "sql"


@dataclass(frozen=True)
class PlannedMigration:
    """One of the plan's migrations: file name, schema version, Alembic's revision."""

    id: str
    version: str
    revision: str

    def script(self, dialect: str) -> str:
        return (SQL / dialect / f"{self.id}.sql").read_text(encoding="utf-8")

    def rollback_script(self, dialect: str) -> str:
        return (SQL / dialect / f"{self.id}.rollback.sql").read_text(encoding="utf-8")


MIGRATIONS = (
    PlannedMigration("20251215_1000_phase1_manuscripts_initial_schema", "1.0.0", "001_initial"),
    PlannedMigration("20251218_1400_phase1_scenes_add_table", "1.0.1", "002_add_scenes"),
    PlannedMigration("20251222_1000_phase1_versioning_add_snapshots", "1.0.2", "003_add_versioning"),
    PlannedMigration("20260105_0900_phase2_codex_add_entities", "1.1.0", "004_add_codex"),
    PlannedMigration("20260112_1030_phase2a_timeline_add_tables", "1.2.0", "005_add_timeline"),
    PlannedMigration("20260126_1000_phase3_coach_add_tables", "1.3.0", "006_add_coach"),
)
#: What PostgreSQL alone has, on purpose: the record of transfers, a bookkeeping table beside the plan's schema.
POSTGRES_ONLY = PlannedMigration("20260302_1000_production_postgres_add_transfers", "2.0.0", "007_sqlite_to_postgres")
VERSIONS = tuple(migration.version for migration in MIGRATIONS)
HEAD = VERSIONS[-1]  # of what both dialects have
NEWEST = {"sqlite": HEAD, "postgres": POSTGRES_ONLY.version}


def migrations_of(dialect: str) -> tuple[PlannedMigration, ...]:
    """All of a dialect's, oldest first."""
    return MIGRATIONS if dialect == "sqlite" else (*MIGRATIONS, POSTGRES_ONLY)


@dataclass(frozen=True)
class Column:
    name: str
    type: str  # string(36), text, integer, float, boolean, datetime
    nullable: bool = True
    default: Any = None  # "now" for the UTC time of the insert


@dataclass(frozen=True)
class ForeignKey:
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    name: str | None = None  # None: the plan gives it none


@dataclass(frozen=True)
class Unique:
    columns: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True)
class Index:
    name: str
    columns: tuple[str, ...]
    unique: bool = False
    partial: bool = False


@dataclass(frozen=True)
class Trigger:
    name: str
    event: str


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]  # in their order
    primary_key: tuple[str, ...]
    foreign_keys: frozenset[ForeignKey] = frozenset()
    uniques: frozenset[Unique] = frozenset()
    indexes: frozenset[Index] = frozenset()
    triggers: frozenset[Trigger] = frozenset()
    checks: frozenset[str] = frozenset()  # the plan has none


Schema = dict[str, Table]
Query = Callable[[str], list[tuple[Any, ...]]]


def planned_schema(version: str) -> Schema:
    """The tables of the plan at ``version``."""
    schema: Schema = {}
    for each in VERSIONS[: VERSIONS.index(version) + 1]:
        schema |= _ADDED[each]
        if each == "1.1.0":
            schema["scenes"] = _with_pov_character_fk(schema["scenes"])
    return schema


def live_schema(database: Database) -> Schema:
    """The tables of the database, bookkeeping left out."""
    read = _sqlite_table if database.dialect == "sqlite" else _postgres_table
    with database.connect() as connection, closing(connection.cursor()) as cursor:

        def query(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

        return {name: read(query, name) for name in database.tables()}


def raw_catalog(database: Database) -> list[tuple[Any, ...]]:
    """All that the catalog knows of the user's objects, word for word, to compare a database with itself."""
    rows = database.query(_RAW_SQLITE if database.dialect == "sqlite" else _RAW_POSTGRES)
    return sorted(row for row in rows if not str(row[1]).startswith(("_yoyo", "yoyo_lock", "_maxwell")))


def run_up_to(database: Database, version: str) -> None:
    """Run the apply files up to and including ``version``, without any tool."""
    for migration in MIGRATIONS[: VERSIONS.index(version) + 1]:
        database.script(migration.script(database.dialect))


# The plan's declarations. `col` and `table` take what sa.Column and op.create_table take there.


@dataclass(frozen=True)
class _Declared:
    column: Column
    primary_key: bool = False
    foreign_key: ForeignKey | None = None
    unique: bool = False


def col(
    name: str,
    type: str,
    *,
    nullable: bool = True,
    default: Any = None,
    primary_key: bool = False,
    to: str = "",
    ondelete: str = "NO ACTION",
    unique: bool = False,
) -> _Declared:
    """A column; ``to`` is the "table.column" of its foreign key, ``default`` a default of either kind."""
    parent, _, parent_column = to.partition(".")
    return _Declared(
        Column(name, type, nullable and not primary_key, default),
        primary_key,
        ForeignKey((name,), parent, (parent_column,), ondelete) if to else None,
        unique,
    )


def table(
    *declared: _Declared,
    indexes: Iterable[Index] = (),
    uniques: Iterable[Unique] = (),
    triggers: Iterable[Trigger] = (),
) -> Table:
    return Table(
        columns=tuple(each.column for each in declared),
        primary_key=tuple(each.column.name for each in declared if each.primary_key),
        foreign_keys=frozenset(each.foreign_key for each in declared if each.foreign_key),
        uniques=frozenset(uniques) | {Unique((each.column.name,)) for each in declared if each.unique},
        indexes=frozenset(indexes),
        triggers=frozenset(triggers),
    )


def _with_pov_character_fk(scenes: Table) -> Table:
    key = ForeignKey(("pov_character_fk",), "entities", ("id",), name="fk_scenes_pov_character")
    return replace(
        scenes,
        columns=(*scenes.columns, Column("pov_character_fk", "string(36)")),
        foreign_keys=scenes.foreign_keys | {key},
    )


_ID = col("id", "string(36)", primary_key=True)
_OF_MANUSCRIPT = col("manuscript_id", "string(36)", to="manuscripts.id", ondelete="CASCADE")
_OF_PROJECT = col("project_id", "string(36)", to="manuscripts.id", ondelete="CASCADE")
_CREATED = col("created_at", "datetime", default="now")
_UPDATED = col("updated_at", "datetime", default="now")

_ADDED: dict[str, Schema] = {
    "1.0.0": {
        "manuscripts": table(
            _ID,
            col("title", "string(255)", nullable=False),
            _CREATED,
            _UPDATED,  # with onupdate
            col("word_count", "integer", default=0),
            col("lexical_state", "text"),
            col("genre", "string(100)"),
            col("target_word_count", "integer"),
            indexes=[Index("idx_manuscripts_updated_at", ("updated_at",))],
            triggers=[Trigger("manuscripts_touch_updated_at", "UPDATE")],
        ),
    },
    "1.0.1": {
        "scenes": table(
            _ID,
            _OF_MANUSCRIPT,
            col("position", "integer", nullable=False),
            col("content", "text"),
            col("word_count", "integer", default=0),
            col("pov_character_id", "string(36)"),
            col("setting_id", "string(36)"),
            _CREATED,
            _UPDATED,
            indexes=[Index("idx_scenes_manuscript", ("manuscript_id", "position"))],
        ),
    },
    "1.0.2": {
        "snapshots": table(
            _ID,
            _OF_MANUSCRIPT,
            col("git_commit_hash", "string(40)", nullable=False),
            col("label", "string(255)"),
            col("trigger_type", "string(50)"),
            col("word_count", "integer"),
            _CREATED,
            indexes=[Index("idx_snapshots_manuscript_date", ("manuscript_id", "created_at"))],
        ),
        "variants": table(
            _ID,
            col("scene_id", "string(36)", to="scenes.id", ondelete="CASCADE"),
            col("label", "string(255)", nullable=False),
            col("content", "text"),
            col("is_main", "boolean", default=False),
            _CREATED,
            indexes=[Index("idx_variants_scene", ("scene_id",))],
        ),
    },
    "1.1.0": {
        "entities": table(
            _ID,
            _OF_MANUSCRIPT,
            col("type", "string(50)", nullable=False),
            col("name", "string(255)", nullable=False),
            col("aliases", "text"),
            col("attributes", "text"),
            col("appearance_history", "text"),
            col("image_seed", "integer"),
            _CREATED,
            _UPDATED,
            indexes=[Index("idx_entities_manuscript", ("manuscript_id",)), Index("idx_entities_type", ("type",))],
        ),
        "relationships": table(
            _ID,
            col("source_entity_id", "string(36)", to="entities.id", ondelete="CASCADE"),
            col("target_entity_id", "string(36)", to="entities.id", ondelete="CASCADE"),
            col("relationship_type", "string(100)"),
            col("strength", "integer", default=1),
            col("context", "text"),
            _CREATED,
            indexes=[
                Index("idx_relationships_source", ("source_entity_id",)),
                Index("idx_relationships_target", ("target_entity_id",)),
            ],
        ),
        "entity_suggestions": table(
            _ID,
            _OF_MANUSCRIPT,
            col("scene_id", "string(36)", to="scenes.id", ondelete="CASCADE"),
            col("suggested_name", "string(255)"),
            col("suggested_type", "string(50)"),
            col("confidence", "float"),
            col("status", "string(50)", default="PENDING"),
            _CREATED,
        ),
    },
    "1.2.0": {
        "locations": table(
            _ID,
            _OF_PROJECT,
            col("name", "string(255)", nullable=False),
            col("description", "text"),
            col("travel_distance_km", "float"),
            col("known_travel_methods", "text"),
            _CREATED,
            _UPDATED,
        ),
        "timeline_events": table(
            _ID,
            _OF_PROJECT,
            col("name", "string(500)", nullable=False),
            col("description", "text"),
            col("story_date", "datetime"),
            col("position", "float"),
            col("event_type", "string(100)"),
            col("character_ids", "text"),
            col("location_id", "string(36)", to="locations.id"),
            col("prerequisite_ids", "text"),
            col("narrative_importance", "float", default=0.5),
            col("notes", "text"),
            _CREATED,
            _UPDATED,
            indexes=[
                Index("idx_timeline_events_project", ("project_id",)),
                Index("idx_timeline_events_story_date", ("story_date",)),
            ],
        ),
        "travel_legs": table(
            _ID,
            _OF_PROJECT,
            col("character_id", "string(36)", nullable=False),
            col("from_location_id", "string(36)", to="locations.id"),
            col("to_location_id", "string(36)", to="locations.id"),
            col("depart_date", "datetime", nullable=False),
            col("arrival_date", "datetime"),
            col("travel_method", "string(100)"),
            col("estimated_days", "integer"),
            col("notes", "text"),
            _CREATED,
            _UPDATED,
            indexes=[Index("idx_travel_legs_character", ("character_id",))],
        ),
        "timeline_issues": table(
            _ID,
            _OF_PROJECT,
            col("issue_type", "string(100)", nullable=False),
            col("severity", "string(50)", nullable=False),
            col("affected_event_ids", "text"),
            col("affected_character_id", "string(36)"),
            col("description", "text", nullable=False),
            col("suggestion", "text", nullable=False),
            col("teaching_point", "text"),
            col("is_resolved", "boolean", default=False),
            col("resolution_notes", "text"),
            _CREATED,
            _UPDATED,
            indexes=[Index("idx_timeline_issues_severity", ("severity", "is_resolved"))],
        ),
        "travel_speed_profiles": table(
            _ID,
            col("project_id", "string(36)", to="manuscripts.id", ondelete="CASCADE", unique=True),
            col("walking", "float", default=40),
            col("horse", "float", default=80),
            col("carriage", "float", default=60),
            col("sailing", "float", default=150),
            col("flying", "float", default=200),
            col("teleportation", "float", default=999999),
            col("custom1_name", "string(100)"),
            col("custom1_speed", "float"),
            col("custom2_name", "string(100)"),
            col("custom2_speed", "float"),
            col("rules", "text"),
            _CREATED,
            _UPDATED,
        ),
        "location_distances": table(
            _ID,
            _OF_PROJECT,
            col("from_location_id", "string(36)", to="locations.id"),
            col("to_location_id", "string(36)", to="locations.id"),
            col("distance_km", "float", nullable=False),
            col("notes", "text"),
            _CREATED,
            uniques=[Unique(("project_id", "from_location_id", "to_location_id"), "uq_location_distance")],
        ),
    },
    "1.3.0": {
        "coaching_history": table(
            _ID,
            _OF_MANUSCRIPT,
            col("scene_id", "string(36)", to="scenes.id", ondelete="SET NULL"),
            col("feedback_category", "string(100)"),
            col("severity", "string(50)"),
            col("issue", "text"),
            col("suggestion", "text"),
            col("teaching_point", "text"),
            col("user_reaction", "string(50)"),
            col("user_applied", "boolean"),
            _CREATED,
            indexes=[Index("idx_coaching_manuscript", ("manuscript_id", "created_at"))],
        ),
        "writing_profiles": table(
            _ID,
            col("manuscript_id", "string(36)", to="manuscripts.id", ondelete="CASCADE", unique=True),
            col("average_scene_length", "integer"),
            col("preferred_pacing", "string(50)"),
            col("common_patterns", "text"),
            col("improvement_areas", "text"),
            col("learned_preferences", "text"),
            _UPDATED,
        ),
        "feedback_patterns": table(
            _ID,
            _OF_MANUSCRIPT,
            col("pattern_type", "string(100)"),
            col("occurrences", "integer", default=1),
            col("first_detected", "datetime"),
            col("last_detected", "datetime"),
            col("resolution_rate", "float"),
            indexes=[Index("idx_feedback_patterns_type", ("pattern_type",))],
        ),
    },
}


# What a SQLite database has.


def _sqlite_table(query: Query, name: str) -> Table:
    columns = query(f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{name}')")
    indexes = query(f"SELECT name, \"unique\", origin, partial FROM pragma_index_list('{name}')")
    ((created,),) = query(f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{name}'")
    triggers = query(f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{name}'")
    unique_names = {
        tuple(re.split(r",\s*", listed)): given
        for given, listed in re.findall(r"CONSTRAINT (\w+) UNIQUE \(([\w, ]+)\)", created)
    }
    index_columns = {index: _sqlite_index_columns(query, index) for index, *_ in indexes}
    return Table(
        columns=tuple(
            Column(column, _logical_type(type_), not notnull, _default(default))
            for column, type_, notnull, default, _ in columns
        ),
        primary_key=tuple(column for column, _, _, _, pk in sorted(columns, key=lambda row: int(row[4])) if pk),
        foreign_keys=_sqlite_foreign_keys(query, name, created),
        uniques=frozenset(
            Unique(index_columns[index], unique_names.get(index_columns[index]))
            for index, _, origin, _ in indexes
            if origin == "u"
        ),
        indexes=frozenset(
            Index(index, index_columns[index], bool(unique), bool(partial))
            for index, unique, origin, partial in indexes
            if origin == "c"
        ),
        triggers=frozenset(Trigger(trigger, _event(sql)) for trigger, sql in triggers),
        checks=frozenset(re.findall(r"\bCHECK\b.*", created)),
    )


def _sqlite_index_columns(query: Query, index: str) -> tuple[str, ...]:
    return tuple(name for (name,) in query(f"SELECT name FROM pragma_index_info('{index}') ORDER BY seqno"))


def _sqlite_foreign_keys(query: Query, name: str, created: str) -> frozenset[ForeignKey]:
    # The pragma has no names, so they come from the text. Here a foreign key always has one column.
    names = dict(re.findall(r"(\w+)\s+\S+\s+CONSTRAINT\s+(\w+)\s+REFERENCES", created))
    rows = query(f'SELECT "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list(\'{name}\')')
    return frozenset(
        ForeignKey((column,), parent, (parent_column,), on_delete, on_update, names.get(column))
        for parent, column, parent_column, on_delete, on_update in rows
    )


# What a PostgreSQL database has.

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def _postgres_table(query: Query, name: str) -> Table:
    of_table = f"'public.{name}'::regclass"
    columns = query(f"""
        SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = {of_table} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum""")
    constraints = query(f"""
        SELECT conname, contype, {_names("conrelid", "conkey")}, confrelid::regclass::text,
            {_names("confrelid", "confkey")}, confdeltype, confupdtype, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid = {of_table}""")
    indexes = query(f"""
        SELECT c.relname, i.indisunique, i.indpred IS NOT NULL,
            ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, false) FROM generate_series(1, i.indnkeyatts) AS n)
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = {of_table}
            AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))""")
    triggers = query(f"""
        SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = {of_table} AND NOT tgisinternal""")
    return Table(
        columns=tuple(
            Column(column, _logical_type(type_), not notnull, _default(default))
            for column, type_, notnull, default in columns
        ),
        primary_key=next((tuple(key) for _, kind, key, *_ in constraints if kind == "p"), ()),
        foreign_keys=frozenset(
            ForeignKey(
                tuple(key),
                parent,
                tuple(parent_key),
                _ACTIONS[on_delete],
                _ACTIONS[on_update],
                _given(constraint, f"{name}_{'_'.join(key)}_fkey"),
            )
            for constraint, kind, key, parent, parent_key, on_delete, on_update, _ in constraints
            if kind == "f"
        ),
        uniques=frozenset(
            Unique(tuple(key), _given(constraint, f"{name}_{'_'.join(key)}_key"))
            for constraint, kind, key, *_ in constraints
            if kind == "u"
        ),
        indexes=frozenset(
            Index(index, tuple(part.strip('"') for part in key), unique, partial)
            for index, unique, partial, key in indexes
        ),
        triggers=frozenset(Trigger(trigger, _event(sql)) for trigger, sql in triggers),
        checks=frozenset(definition for _, kind, *_, definition in constraints if kind == "c"),
    )


def _names(relation: str, numbers: str) -> str:
    """SQL for the names of the columns with these numbers, in their order."""
    return f"""ARRAY(SELECT a.attname::text FROM unnest({numbers}) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute AS a ON a.attrelid = {relation} AND a.attnum = k.number ORDER BY k.place)"""


def _given(name: str, automatic: str) -> str | None:
    """The name that somebody chose; None for the one that PostgreSQL makes up."""
    return None if name == automatic else name


# Both dialects' words in one.

_TYPES = {
    "TEXT": "text",
    "INTEGER": "integer",
    "REAL": "float",
    "DOUBLE PRECISION": "float",
    "BOOLEAN": "boolean",
    "DATETIME": "datetime",
    "TIMESTAMP WITHOUT TIME ZONE": "datetime",
}
_NOW = {
    "CURRENT_TIMESTAMP",
    "(now() AT TIME ZONE 'UTC'::text)",
    "timezone('UTC'::text, now())",  # the same, as PostgreSQL 13 writes it
}


def _logical_type(declared: str) -> str:
    string = re.fullmatch(r"(?:VARCHAR|CHARACTER VARYING)\((\d+)\)", declared.upper())
    return f"string({string[1]})" if string else _TYPES.get(declared.upper(), declared)


def _default(expression: str | None) -> Any:
    if expression is None:
        return None
    if expression in _NOW:
        return "now"
    if expression.upper() in {"TRUE", "FALSE"}:
        return expression.upper() == "TRUE"
    string = re.fullmatch(r"'([^']*)'(::character varying)?", expression)
    if string:
        return string[1]
    return float(expression) if re.fullmatch(r"[\d.]+", expression) else expression


def _event(trigger: str) -> str:
    (event,) = re.findall(r"\b(?:BEFORE|AFTER)\s+(.+?)\s+ON\b", trigger)
    return str(event)


_RAW_SQLITE = "SELECT type, tbl_name, name, coalesce(sql, '') FROM sqlite_master"
_RAW_POSTGRES = """
    WITH mine AS (SELECT oid, relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    SELECT 'relation', relname::text, relkind::text, ''
    FROM mine WHERE relkind NOT IN ('i', 't')
    UNION ALL
    SELECT 'column', relname::text, lpad(row_number() OVER (PARTITION BY mine.oid ORDER BY a.attnum)::text, 3, '0'),
        concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
            (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = a.attrelid AND adnum = a.attnum))
    FROM mine JOIN pg_attribute AS a ON a.attrelid = mine.oid
    WHERE relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', relname::text, conname::text, pg_get_constraintdef(c.oid)
    FROM mine JOIN pg_constraint AS c ON c.conrelid = mine.oid
    UNION ALL
    SELECT 'index', relname::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM mine JOIN pg_index ON indrelid = mine.oid
    UNION ALL
    SELECT 'trigger', relname::text, tgname::text, pg_get_triggerdef(t.oid)
    FROM mine JOIN pg_trigger AS t ON t.tgrelid = mine.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', proname::text, pg_get_function_identity_arguments(oid), pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace"""
