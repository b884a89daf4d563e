"""Generated Maxwell data: clean rows, as many as asked, the same for the same number."""

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
    "scenes": 20,
    "snapshots": 15,
    "variants": 10,
    "relationships": 10,
    "timeline_events": 15,
    "coaching_history": 10,
    "timeline_issues": 5,
}
_WORDS = (
    *("the", "harbour", "bell", "rang", "twice", "before", "Maren", "counted", "each", "sack", "of", "salt"),
    *("again", "and", "nobody", "had", "asked", "why", "Élise", "went", "to", "city"),
)
_OF = "id('0a', i % {manuscripts})"
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
        "aliases": "'[]'",
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
        "scene_id": "id('0b', i % {scenes})",
        "label": "prose(i, 3)",
        "content": "prose(i, 60)",
        "is_main": "0",
    },
    "relationships": {
        "id": "id('1b', i)",
        "source_entity_id": "id('1a', i % {entities})",
        "target_entity_id": "id('1a', i % {entities})",
        "relationship_type": "'ally'",
        "strength": "i % 10",
        "context": "'[]'",
    },
    "timeline_events": {
        "id": "id('2b', i)",
        "project_id": _OF,
        "name": "prose(i, 4)",
        "description": "prose(i, 25)",
        "story_date": _AT,
        "position": "(i % 1000) / 1000.0",
        "event_type": "'scene'",
        "narrative_importance": "0.1 + (i % 9) * 0.1",
    },
    "coaching_history": {
        "id": "id('3a', i)",
        "manuscript_id": _OF,
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
        "description": "prose(i, 12)",
        "suggestion": "prose(i, 12)",
        "is_resolved": "i % 2",
    },
}


def make_source(path: Path, rows: int) -> dict[str, int]:
    """A new SQLite database at Maxwell's newest version with about so many rows; their number by table."""
    done = maxwell_db("apply", "--no-verify", database=f"sqlite:///{path}")
    assert done.exit_code == 0, done.stderr
    counts = {table: max(1, rows * share // 100) for table, share in SHARES.items()}
    texts = [" ".join(_WORDS[(start + place) % len(_WORDS)] for place in range(150)) for start in range(64)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.create_function("id", 2, lambda kind, i: f"{kind}000000-0000-4000-8000-{i:012x}", deterministic=True)
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
