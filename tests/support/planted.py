"""Violations to plant in the clean sample database, one at a time, and the check that must find each.

Foreign keys are off while planting (SQLite: the test's connections enforce none; PostgreSQL: replica mode).
"""

from __future__ import annotations

from dataclasses import dataclass

BOTH = ("sqlite", "postgres")
REPLICA = "SET session_replication_role = replica;\n"  # for a superuser: no trigger fires, foreign keys' least of all


def _id(kind: str, number: int) -> str:
    """An id of ``maxwell_rows``: its first digits tell the table, its last ones the manuscript and the row."""
    return f"{kind}000000-0000-4000-8000-0000000000{number:02d}"


FIRST, SECOND = _id("0a", 10), _id("0a", 20)  # the two manuscripts
SCENE, OTHER_SCENE, EMPTY_SCENE = _id("0b", 11), _id("0b", 21), _id("0b", 22)
SNAPSHOT, VARIANT, MAIN_VARIANT = _id("0c", 11), _id("0d", 12), _id("0d", 11)
ENTITY, OTHER_ENTITY = _id("1a", 11), _id("1a", 21)
RELATIONSHIP, SUGGESTION = _id("1b", 11), _id("1c", 11)
LOCATION, SECOND_LOCATION, OTHER_LOCATION = _id("2a", 11), _id("2a", 12), _id("2a", 21)
EVENT, LATER_EVENT, OTHER_EVENT = _id("2b", 11), _id("2b", 12), _id("2b", 21)
LEG, ISSUE, SPEEDS, DISTANCE = _id("2c", 11), _id("2d", 11), _id("2e", 10), _id("2f", 11)
ADVICE, PROFILE, PATTERN = _id("3a", 11), _id("3b", 10), _id("3c", 11)


@dataclass(frozen=True)
class Plant:
    """One wrong thing: how to plant it, and where it must be found."""

    name: str
    sql: str
    check: str
    table: str
    key: str
    dialects: tuple[str, ...] = BOTH
    also: frozenset[str] = frozenset()  # other checks that rightly find it too


def _set(table: str, key: str, column: str, value: str, check: str, *also: str, name: str = "") -> Plant:
    return Plant(
        name or f"{check} {column}",
        f"UPDATE {table} SET {column} = {value} WHERE id = '{key}';",
        check,
        table,
        key,
        also=frozenset(also),
    )


def _orphan(table: str, key: str, column: str, parent: str, *also: str) -> Plant:
    check = f"orphan:{table}({column})->{parent}"
    return _set(table, key, column, "'gone'", check, *also, name=check)


ORPHANS = (
    _orphan("scenes", EMPTY_SCENE, "manuscript_id", "manuscripts"),
    _orphan("scenes", EMPTY_SCENE, "pov_character_fk", "entities"),
    _orphan("snapshots", SNAPSHOT, "manuscript_id", "manuscripts"),
    _orphan("variants", VARIANT, "scene_id", "scenes"),
    _orphan("entities", _id("1a", 16), "manuscript_id", "manuscripts"),
    _orphan("relationships", RELATIONSHIP, "source_entity_id", "entities"),
    _orphan("relationships", RELATIONSHIP, "target_entity_id", "entities"),
    _orphan("entity_suggestions", SUGGESTION, "manuscript_id", "manuscripts", "suggestion-manuscript"),
    _orphan("entity_suggestions", SUGGESTION, "scene_id", "scenes"),
    _orphan("locations", OTHER_LOCATION, "project_id", "manuscripts"),
    _orphan("timeline_events", OTHER_EVENT, "project_id", "manuscripts"),
    _orphan("timeline_events", EVENT, "location_id", "locations"),
    _orphan("travel_legs", LEG, "project_id", "manuscripts", "leg-manuscript"),
    _orphan("travel_legs", LEG, "from_location_id", "locations"),
    _orphan("travel_legs", LEG, "to_location_id", "locations"),
    _orphan("timeline_issues", ISSUE, "project_id", "manuscripts"),
    _orphan("travel_speed_profiles", SPEEDS, "project_id", "manuscripts"),
    _orphan("location_distances", DISTANCE, "project_id", "manuscripts", "distance-manuscript"),
    _orphan("location_distances", DISTANCE, "from_location_id", "locations"),
    _orphan("location_distances", DISTANCE, "to_location_id", "locations"),
    _orphan("coaching_history", ADVICE, "manuscript_id", "manuscripts", "coaching-manuscript"),
    _orphan("coaching_history", ADVICE, "scene_id", "scenes"),
    _orphan("writing_profiles", PROFILE, "manuscript_id", "manuscripts"),
    _orphan("feedback_patterns", PATTERN, "manuscript_id", "manuscripts"),
)

REFERENCES = (
    _set("scenes", EMPTY_SCENE, "pov_character_id", "'gone'", "scene-pov-character"),
    _set("scenes", EMPTY_SCENE, "setting_id", "'gone'", "scene-setting"),
    _set("travel_legs", LEG, "character_id", "'gone'", "leg-character"),
    _set("timeline_issues", ISSUE, "affected_character_id", "'gone'", "issue-character"),
    _set("timeline_events", OTHER_EVENT, "character_ids", f'\'["{OTHER_ENTITY}", "gone"]\'', "event-characters"),
    _set("timeline_events", OTHER_EVENT, "prerequisite_ids", "'[ \"gone\" ]'", "event-prerequisites"),
    _set("timeline_issues", ISSUE, "affected_event_ids", "'[\"gone\"]'", "issue-events"),
)

_BAD_JSON = {  # none of them is a JSON array of ids
    "empty": "''",
    "null": "'null'",
    "open": "'['",
    "object": "'{}'",
    "torn": "'[1,'",
    "comma": "'[\"a\",]'",
    "NaN": "'[NaN]'",
    "number": "'[42]'",
    "nested": "'[[\"a\"]]'",
    "word": "'[a]'",
    "escape": "'[\"\\x41\"]'",
    "tail": "'[] []'",
}

JSON = (
    *(
        _set("timeline_events", OTHER_EVENT, "character_ids", value, "event-json", name=f"event-json {name}")
        for name, value in _BAD_JSON.items()
    ),
    _set("timeline_events", OTHER_EVENT, "prerequisite_ids", "'[\"a\"'", "event-json"),
    _set("timeline_issues", ISSUE, "affected_event_ids", "'{\"a\": []}'", "issue-json"),
    _set("entities", ENTITY, "aliases", "'Maren'", "entity-json"),
    _set("entities", ENTITY, "attributes", "'[]'", "entity-json"),
    _set("entities", ENTITY, "appearance_history", '\'[{"a": [1, {"b": [}]}]\'', "entity-json"),
    _set("relationships", RELATIONSHIP, "context", '\'{"a": {"b": []}}\'', "relationship-json"),
    _set("locations", LOCATION, "known_travel_methods", "'[\"walking\"'", "location-json"),
    _set("writing_profiles", PROFILE, "common_patterns", "'null'", "profile-json"),
    _set("writing_profiles", PROFILE, "improvement_areas", '\'["a" "b"]\'', "profile-json"),
    _set("writing_profiles", PROFILE, "learned_preferences", '\'{"a": [1, {"b": .5}]}\'', "profile-json"),
)

MANUSCRIPTS = (
    _set("scenes", EMPTY_SCENE, "pov_character_fk", f"'{ENTITY}'", "scene-pov-manuscript"),
    _set("scenes", EMPTY_SCENE, "pov_character_id", f"'{ENTITY}'", "scene-pov-manuscript"),
    _set("scenes", EMPTY_SCENE, "setting_id", f"'{ENTITY}'", "scene-setting-manuscript", name="setting entity"),
    _set("scenes", EMPTY_SCENE, "setting_id", f"'{LOCATION}'", "scene-setting-manuscript", name="setting location"),
    _set("relationships", RELATIONSHIP, "target_entity_id", f"'{OTHER_ENTITY}'", "relationship-manuscript"),
    _set("timeline_events", EVENT, "location_id", f"'{OTHER_LOCATION}'", "event-location-manuscript"),
    _set("travel_legs", LEG, "from_location_id", f"'{OTHER_LOCATION}'", "leg-manuscript"),
    _set("travel_legs", LEG, "to_location_id", f"'{OTHER_LOCATION}'", "leg-manuscript"),
    _set("travel_legs", LEG, "character_id", f"'{OTHER_ENTITY}'", "leg-manuscript"),
    _set("location_distances", DISTANCE, "from_location_id", f"'{OTHER_LOCATION}'", "distance-manuscript"),
    _set("location_distances", DISTANCE, "to_location_id", f"'{OTHER_LOCATION}'", "distance-manuscript"),
    _set("entity_suggestions", SUGGESTION, "scene_id", f"'{OTHER_SCENE}'", "suggestion-manuscript"),
    _set("coaching_history", ADVICE, "scene_id", f"'{OTHER_SCENE}'", "coaching-manuscript"),
)

VOCABULARIES = (
    _set("entities", ENTITY, "type", "'ROBOT'", "entity-type"),
    _set("entity_suggestions", SUGGESTION, "suggested_type", "'character'", "suggestion-type"),
    _set("entity_suggestions", SUGGESTION, "status", "''", "suggestion-status"),
    _set("snapshots", SNAPSHOT, "trigger_type", "'CRON'", "snapshot-trigger"),
    _set("snapshots", SNAPSHOT, "git_commit_hash", "'3f786850'", "snapshot-commit", name="short commit"),
    _set("snapshots", SNAPSHOT, "git_commit_hash", f"'{'ab' * 10}x{'9' * 19}'", "snapshot-commit", name="no hex digit"),
    _set("coaching_history", ADVICE, "user_reaction", "'Helpful'", "coaching-reaction"),
)

RANGES = (
    _set("timeline_events", EVENT, "position", "1.5", "event-range"),
    _set("timeline_events", EVENT, "narrative_importance", "-0.1", "event-range"),
    _set("entity_suggestions", SUGGESTION, "confidence", "97", "suggestion-confidence"),
    _set("feedback_patterns", PATTERN, "occurrences", "-1", "pattern-range"),
    _set("feedback_patterns", PATTERN, "resolution_rate", "101", "pattern-range"),
    _set("manuscripts", FIRST, "word_count", "-1", "manuscript-words"),
    _set("manuscripts", FIRST, "target_word_count", "-1", "manuscript-words"),
    _set("scenes", SCENE, "position", "-1", "scene-range"),
    _set("scenes", SCENE, "word_count", "-1", "scene-range"),
    _set("snapshots", SNAPSHOT, "word_count", "-1", "snapshot-words"),
    _set("locations", LOCATION, "travel_distance_km", "-0.5", "location-distance"),
    _set("location_distances", DISTANCE, "distance_km", "-120", "distance-range"),
    _set("travel_legs", LEG, "estimated_days", "-3", "leg-days"),
    _set("travel_speed_profiles", SPEEDS, "walking", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "horse", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "carriage", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "sailing", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "flying", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "teleportation", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "custom1_speed", "-1", "speed-range"),
    _set("travel_speed_profiles", SPEEDS, "custom2_speed", "-1", "speed-range"),
    _set("writing_profiles", PROFILE, "average_scene_length", "-10", "profile-length"),
    Plant(
        "a distance that is no number",
        f"UPDATE location_distances SET distance_km = 'NaN' WHERE id = '{DISTANCE}';",  # a text in SQLite
        "distance-range",
        "location_distances",
        DISTANCE,
    ),
)

TIMES = (
    _set("travel_legs", LEG, "arrival_date", "'1348-05-02 06:59:00'", "leg-times"),
    _set("feedback_patterns", PATTERN, "last_detected", "'2026-01-26 11:00:00'", "pattern-times"),
    _set("timeline_events", EVENT, "prerequisite_ids", f"'[\"{EVENT}\"]'", "event-cycle", name="event before itself"),
    # 12 needs 11 already; the circle is shown at the later of the two.
    Plant(
        "circle of two",
        f"UPDATE timeline_events SET prerequisite_ids = '[\"{LATER_EVENT}\"]' WHERE id = '{EVENT}';",
        "event-cycle",
        "timeline_events",
        LATER_EVENT,
    ),
    Plant(
        "circle of three",
        f"""
        INSERT INTO timeline_events (id, project_id, name, story_date, prerequisite_ids)
        VALUES ('x1', '{FIRST}', 'between', '1348-05-03 00:00:00', '["{EVENT}"]');
        UPDATE timeline_events SET prerequisite_ids = '["x1"]' WHERE id = '{LATER_EVENT}';
        UPDATE timeline_events SET prerequisite_ids = '["{LATER_EVENT}"]' WHERE id = '{EVENT}';
        """,
        "event-cycle",
        "timeline_events",
        LATER_EVENT,
    ),
)

MEANING = (
    _set("scenes", SCENE, "pov_character_id", f"'{_id('1a', 12)}'", "scene-pov-agreement"),
    _set("scenes", _id("0b", 13), "position", "2", "scene-position", name="two scenes at a position"),
    _set("variants", VARIANT, "is_main", "TRUE", "variant-main"),
    _set("travel_legs", LEG, "to_location_id", f"'{LOCATION}'", "leg-places"),
    _set("location_distances", DISTANCE, "to_location_id", f"'{LOCATION}'", "distance-places"),
)

# PostgreSQL lets no NULL into a primary key, not even in replica mode: that plant is for SQLite alone.
GENERIC = (
    Plant(
        "NULL in a primary key",
        "CREATE TABLE extra (id TEXT PRIMARY KEY); INSERT INTO extra VALUES (NULL);",
        "key:extra",
        "extra",
        "rowid 1",
        ("sqlite",),
    ),
    Plant(
        "double primary key in SQLite",
        # The index of a plain column, then declared to be the key's own.
        """
        CREATE TABLE extra (id TEXT); CREATE INDEX i ON extra (id); INSERT INTO extra VALUES ('a'), ('a'), ('b');
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET sql = 'CREATE TABLE extra (id TEXT PRIMARY KEY)' WHERE name = 'extra';
        UPDATE sqlite_master SET name = 'sqlite_autoindex_extra_1', sql = NULL WHERE name = 'i';
        PRAGMA writable_schema = RESET;
        """,
        "key:extra",
        "extra",
        "a",
        ("sqlite",),
        frozenset({"integrity-check"}),
    ),
    Plant(
        "double primary key in PostgreSQL",
        # As an index looks after the system's collation has changed under it.
        """
        CREATE TABLE extra (id text PRIMARY KEY);
        UPDATE pg_index SET indisunique = false WHERE indexrelid = 'extra_pkey'::regclass;
        INSERT INTO extra VALUES ('a'), ('a'), ('b');
        UPDATE pg_index SET indisunique = true WHERE indexrelid = 'extra_pkey'::regclass;
        """,
        "key:extra",
        "extra",
        "a",
        ("postgres",),
    ),
    Plant(
        "an index that lacks a row",
        # An index of an empty table, then declared to be one of a table with a row.
        """
        CREATE TABLE extra (id TEXT PRIMARY KEY, x TEXT); CREATE TABLE other (x TEXT); CREATE INDEX i ON other (x);
        INSERT INTO extra VALUES ('a', 'b');
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET tbl_name = 'extra', sql = 'CREATE INDEX i ON extra (x)' WHERE name = 'i';
        PRAGMA writable_schema = RESET;
        """,
        "integrity-check",
        "the database",
        "-",
        ("sqlite",),
    ),
    Plant(
        "an orphan that the orphan check is kept from seeing",
        # The same trick: the generated query reads the lacking index alone, SQLite's own check reads the table.
        """
        CREATE TABLE parent (id TEXT PRIMARY KEY);
        CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id TEXT REFERENCES parent (id), x TEXT);
        CREATE TABLE other (x TEXT); CREATE INDEX i ON other (x);
        INSERT INTO child VALUES (7, 'gone', 'x');
        PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET tbl_name = 'child', sql = 'CREATE INDEX i ON child (parent_id)' WHERE name = 'i';
        PRAGMA writable_schema = RESET;
        """,
        "foreign-key-check",
        "child",
        "rowid 7",
        ("sqlite",),
        frozenset({"integrity-check"}),
    ),
    Plant(
        "a foreign key to a table that is not there",
        "CREATE TABLE extra (id TEXT PRIMARY KEY, x TEXT REFERENCES nowhere (id));",
        "orphan:extra(x)->nowhere",
        "extra",
        "(x)",
        ("sqlite",),
    ),
    Plant(
        "a foreign key to a column that is not unique",
        "CREATE TABLE extra (id TEXT PRIMARY KEY, x TEXT REFERENCES scenes (position));",
        "orphan:extra(x)->scenes",
        "extra",
        "(x)",
        ("sqlite",),
    ),
    Plant(
        "an invalid index",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_scenes_manuscript'::regclass;",
        "invalid-index",
        "scenes",
        "idx_scenes_manuscript",
        ("postgres",),
    ),
    Plant(
        "a constraint that was never validated",
        "ALTER TABLE scenes ADD CONSTRAINT words CHECK (word_count < 1000000) NOT VALID;",
        "unvalidated-constraint",
        "scenes",
        "words",
        ("postgres",),
    ),
    Plant(
        "a trigger that is off",
        """
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER idle BEFORE UPDATE ON scenes FOR EACH ROW EXECUTE FUNCTION nothing();
        ALTER TABLE scenes DISABLE TRIGGER idle;
        """,
        "disabled-trigger",
        "scenes",
        "idle",
        ("postgres",),
    ),
)

PLANTS = (
    *ORPHANS,
    *REFERENCES,
    *JSON,
    *MANUSCRIPTS,
    *VOCABULARIES,
    *RANGES,
    *TIMES,
    *MEANING,
    *GENERIC,
)
