"""Generated Maxwell data: clean rows, as many as asked, the same for the same number; every foreign key is in use."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.tool import maxwell_db

#: Of a hundred rows so many are in each table; what refers to others comes after them.
SHARES = {
    "manuscripts": 1,
    "entities": 10,
    "locations": 4,
    "scenes": 18,
    "snapshots": 13,
    "variants": 10,
    "relationships": 10,
    "entity_suggestions": 3,
    "timeline_events": 13,
    "travel_legs": 3,
    "timeline_issues": 4,
    "travel_speed_profiles": 0.5,
    "location_distances": 2,
    "coaching_history": 8,
    "writing_profiles": 0.5,
    "feedback_patterns": 1,
}
_WORDS = (
    *("the", "harbour", "bell", "rang", "twice", "before", "Maren", "counted", "each", "sack", "of", "salt"),
    *("again", "and", "nobody", "had", "asked", "why", "Élise", "went", "to", "city"),
)
_OF = "id('0a', i % {manuscripts})"  # whatever has the same remainder belongs to the same manuscript
_ENTITY = "id('1a', i % {entities})"
_NEXT_ENTITY = "id('1a', (i + {manuscripts}) % {entities})"
_PLACE = "id('2a', i % {locations})"
_NEXT_PLACE = "id('2a', (i + {manuscripts}) % {locations})"
_SCENE = "id('0b', i % {scenes})"
_AT = "strftime('%Y-%m-%d %H:%M:%S', 1700000000 + (i * 7919) % 60000000, 'unixepoch')"

#: Of each table the columns and, for row number i, the expressions of their values.
_ROWS: dict[str, dict[str, str]] = {
    "manuscripts": {
        "id": "id('0a', i)",
        "title": "'Manuscript ' || i",
        "word_count": "0",
        "genre": "'historical'",
        "target_word_count": "90000",
    },
    "entities": {
        "id": "id('1a', i)",
        "manuscript_id": _OF,
        "type": "'CHARACTER'",
        "name": "prose(i, 2)",
        "aliases": """'["' || prose(i, 1) || '"]'""",
        "attributes": """'{{"age": ' || (i % 90) || ', "traits": ["brave", {{"since": 3}}]}}'""",
        "image_seed": "i",
    },
    "locations": {
        "id": "id('2a', i)",
        "project_id": _OF,
        "name": "prose(i, 2)",
        "description": "prose(i, 20)",
        "travel_distance_km": "i * 0.37",
    },
    "scenes": {
        "id": "id('0b', i)",
        "manuscript_id": _OF,
        "position": "i",
        "content": "prose(i, 120)",
        "word_count": "0",
        "pov_character_id": _ENTITY,
        "pov_character_fk": _ENTITY,
        "setting_id": _PLACE,
    },
    "snapshots": {
        "id": "id('0c', i)",
        "manuscript_id": _OF,
        "git_commit_hash": "printf('%040x', i * 2654435761)",
        "label": "prose(i, 4)",
        "trigger_type": "'AUTO_SAVE'",
        "word_count": "i",
    },
    "variants": {
        "id": "id('0d', i)",
        "scene_id": _SCENE,
        "label": "prose(i, 3)",
        "content": "prose(i, 60)",
        "is_main": "0",
    },
    "relationships": {
        "id": "id('1b', i)",
        "source_entity_id": _ENTITY,
        "target_entity_id": _NEXT_ENTITY,
        "relationship_type": "'ally'",
        "strength": "i % 10",
        "context": "'[]'",
    },
    "timeline_events": {
        "id": "id('2b', i)",
        "project_id": _OF,
        "name": "prose(i, 4)",
        "description": "prose(i, 25)",
        "story_date": "strftime('%Y-%m-%d %H:%M:%S', i * 60, 'unixepoch')",
        "position": "(i % 1000) / 1000.0",
        "event_type": "'scene'",
        "character_ids": f"""'["' || {_ENTITY} || '","' || {_NEXT_ENTITY} || '"]'""",
        "location_id": _PLACE,
        "prerequisite_ids": """iif(i < {manuscripts}, '[]', '["' || id('2b', i - {manuscripts}) || '"]')""",
        "narrative_importance": "0.1 + (i % 9) * 0.1",
    },
    "coaching_history": {
        "id": "id('3a', i)",
        "manuscript_id": _OF,
        "scene_id": _SCENE,
        "feedback_category": "'pacing'",
        "severity": "'low'",
        "issue": "prose(i, 15)",
        "suggestion": "prose(i, 15)",
        "user_applied": "i % 2",
    },
    "timeline_issues": {
        "id": "id('2d', i)",
        "project_id": _OF,
        "issue_type": "'travel'",
        "severity": "'low'",
        "affected_event_ids": """'["' || id('2b', i % {timeline_events}) || '"]'""",
        "affected_character_id": _ENTITY,
        "description": "prose(i, 12)",
        "suggestion": "prose(i, 12)",
        "is_resolved": "i % 2",
    },
    "entity_suggestions": {
        "id": "id('1c', i)",
        "manuscript_id": _OF,
        "scene_id": _SCENE,
        "suggested_name": "prose(i, 2)",
        "suggested_type": "'LOCATION'",
        "confidence": "(i % 100) / 100.0",
    },
    "travel_legs": {
        "id": "id('2c', i)",
        "project_id": _OF,
        "character_id": _ENTITY,
        "from_location_id": _PLACE,
        "to_location_id": _NEXT_PLACE,
        "depart_date": "strftime('%Y-%m-%d %H:%M:%S', i * 60, 'unixepoch')",
        "arrival_date": "strftime('%Y-%m-%d %H:%M:%S', i * 60 + 86400, 'unixepoch')",
        "estimated_days": "1",
    },
    "travel_speed_profiles": {
        "id": "id('2e', i)",
        "project_id": _OF,
    },
    "location_distances": {
        "id": "id('2f', i)",
        "project_id": _OF,
        "from_location_id": _PLACE,
        "to_location_id": _NEXT_PLACE,
        "distance_km": "i % 1000 + 0.5",
    },
    "writing_profiles": {
        "id": "id('3b', i)",
        "manuscript_id": _OF,
        "average_scene_length": "900",
        "common_patterns": "'[]'",
    },
    "feedback_patterns": {
        "id": "id('3c', i)",
        "manuscript_id": _OF,
        "pattern_type": "'pacing'",
        "resolution_rate": "i % 101",
    },
}


def make_source(path: Path, rows: int, *, scattered: bool = False) -> dict[str, int]:
    """A new SQLite database at Maxwell's newest version with about so many rows; their number by table.

    ``scattered`` gives ids that sort in no order of the rows, as UUIDs of an application do; without it they rise.
    """
    done = maxwell_db("apply", "--no-verify", database=f"sqlite:///{path}")
    assert done.exit_code == 0, done.stderr
    # Whole manuscripts, so that what has the same remainder belongs to the same one in every table.
    counts = {table: max(1, int(max(1, rows // 100) * share)) for table, share in SHARES.items()}
    texts = [" ".join(_WORDS[(start + place) % len(_WORDS)] for place in range(150)) for start in range(64)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -2000000")
        connection.create_function("id", 2, _scattered if scattered else _rising, deterministic=True)
        connection.create_function("prose", 2, lambda i, n: texts[i % 64][: n * 6].rstrip(), deterministic=True)
        connection.execute("BEGIN")
        for table, columns in _ROWS.items():
            values = ", ".join(columns.values()).format(**counts)
            connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)})"
                f" WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {counts[table]})"
                f" SELECT {values} FROM n"
            )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = DELETE")
    return counts


def _rising(kind: str, i: int) -> str:
    return f"{kind}000000-0000-4000-8000-{i:012x}"


def _scattered(kind: str, i: int) -> str:
    mixed = f"{(i + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}"
    return f"{mixed[:8]}-{mixed[8:12]}-4{mixed[12:15]}-8{kind}{mixed[15]}-{i:012x}"
