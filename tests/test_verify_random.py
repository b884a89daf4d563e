"""The checks that compare whole lists, on random rows: what they find is what plain Python finds row by row."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.databases import Database
from tests.support.maxwell_schema import MIGRATIONS
from tests.support.planted import REPLICA
from verify.run import verify

Row = dict[str, Any]
Rows = dict[str, list[Row]]
Found = list[tuple[str, str]]  # key and detail

ENTITIES = [f"e{n}" for n in range(12)]
PLACES = [f"l{n}" for n in range(6)]
BOTH = ["b0", "b1"]  # the id of an entity and of a location
ANYWHERE = [*ENTITIES, *PLACES, *BOTH, "gone1", "gone2", None]
MANUSCRIPTS = ["m0", "m1", None]
NO_LISTS = ["", "null", "{}", '{"0": "gone1"}', '"gone1"', "[", '["gone1"', "[gone1]", "7"]
MIXED = ["[null]", "[null, null]", '["gone1", null]', '[7, "gone1"]', '[["gone1"], "gone1", {}]']


def random_rows(seed: int) -> Rows:
    pick = random.Random(seed)
    events = [f"v{n:02}" for n in range(pick.choice([3, 12, 40]))]
    # Sometimes hardly any circle, sometimes no order at all.
    busy = pick.choice([0.05, 0.5, 1.0])
    dates = pick.choice([[None], ["2001-01-01 00:00:00", "2002-01-01 00:00:00", None]])

    def ids(among: list[Any]) -> str | None:
        if pick.random() < 0.1:
            return pick.choice([None, "[]", *NO_LISTS, *MIXED])
        chosen = [pick.choice(among) for _ in range(pick.randrange(4))] if pick.random() < busy else []
        text = json.dumps([one for one in chosen if one is not None], indent=pick.choice([None, 1, 400]))
        return pick.choice([text, text, text.replace('"e', '"\\u0065').replace('"v', '"\\u0076')])

    def event(name: str) -> Row:
        return {
            "id": name,
            "name": "x",
            "project_id": pick.choice(MANUSCRIPTS) if pick.random() < 0.3 else "m0",
            "story_date": pick.choice(dates),
            "position": pick.choice([0.25, 0.5, None]),
            "created_at": pick.choice(["2020-01-01 00:00:00", None]),
            "location_id": pick.choice(ANYWHERE),
            "character_ids": ids(ANYWHERE),
            "prerequisite_ids": ids([*events, "gone1"]),
        }

    def scene(number: int) -> Row:
        character = pick.choice(ANYWHERE)
        return {
            "id": f"s{number:02}",
            "manuscript_id": pick.choice(MANUSCRIPTS),
            "position": number,
            "pov_character_fk": character,
            "pov_character_id": character if pick.random() < 0.6 else pick.choice(ANYWHERE),
            "setting_id": pick.choice(ANYWHERE),
        }

    none = pick.random() < 0.1  # a codex that is not begun
    return {
        "entities": [
            {"id": name, "type": "LORE", "name": "x", "manuscript_id": pick.choice(MANUSCRIPTS)}
            for name in ([] if none else [*ENTITIES, *BOTH])
        ],
        "locations": [{"id": name, "name": "x", "project_id": pick.choice(MANUSCRIPTS)} for name in [*PLACES, *BOTH]],
        "scenes": [scene(number) for number in range(40)],
        "variants": [
            {
                "id": f"r{n:02}",
                "label": "x",
                "scene_id": pick.choice(["s01", "s02", "s03", None]),
                "is_main": n % 3 == 0,
            }
            for n in range(pick.randrange(20))
        ],
        "timeline_events": [event(name) for name in events],
        "timeline_issues": [
            {
                "id": f"i{n:02}",
                "issue_type": "x",
                "severity": "x",
                "description": "x",
                "suggestion": "x",
                "affected_character_id": pick.choice(ANYWHERE),
                "affected_event_ids": ids([*events, "gone1"]),
            }
            for n in range(20)
        ],
        "travel_legs": [
            {"id": f"t{n:02}", "depart_date": "2001-01-01 00:00:00", "character_id": pick.choice(ANYWHERE[:-1])}
            for n in range(20)
        ],
    }


def fill(database: Database, rows: Rows) -> None:
    mark = "?" if database.dialect == "sqlite" else "%s"
    with database.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN" if database.dialect == "sqlite" else f"BEGIN; {REPLICA}")
        for table, some in rows.items():
            cursor.execute(f"DELETE FROM {table}")
            for row in some:
                names = ", ".join(row)
                cursor.execute(
                    f"INSERT INTO {table} ({names}) VALUES ({', '.join(mark for _ in row)})", tuple(row.values())
                )
        cursor.execute("COMMIT")


def listed(text: str | None, dialect: str) -> list[str]:
    """The ids of a list; of what is none, none. Of a list that holds other things too, SQLite still takes the ids."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return []
    if not isinstance(value, list) or (dialect == "postgres" and text in MIXED):
        return []
    return [one for one in value if isinstance(one, str)]


def lost(rows: list[Row], column: str, there: set[str], where: str) -> Found:
    return [
        (row["id"], f"{column} {row[column]} is {where}")
        for row in rows
        if row[column] is not None and row[column] not in there
    ]


def lost_from_lists(rows: list[Row], column: str, there: set[str], where: str, dialect: str) -> Found:
    return [
        (row["id"], f"{column}: {one} is not in {where}")
        for row in rows
        for one in listed(row[column], dialect)
        if one not in there
    ]


def apart(rows: list[Row], column: str, own: str, parents: list[Row], theirs: str) -> Found:
    manuscripts = {parent["id"]: parent[theirs] for parent in parents}
    return [
        (row["id"], f"{column} {row[column]} belongs to manuscript {manuscript}")
        for row in rows
        if (manuscript := manuscripts.get(row[column])) is not None and row[own] not in (None, manuscript)
    ]


def not_lists(rows: list[Row], *columns: str) -> Found:
    return [
        (row["id"], f"{column} is not a JSON array of ids: {row[column]}")
        for column in columns
        for row in rows
        if row[column] in (*NO_LISTS, *MIXED)
    ]


def second_mains(variants: list[Row]) -> Found:
    mains = [row for row in variants if row["is_main"] and row["scene_id"] is not None]
    return [
        (row["id"], f"scene {row['scene_id']} has another main variant")
        for row in mains
        if any(other["scene_id"] == row["scene_id"] and other["id"] < row["id"] for other in mains)
    ]


def circles(events: list[Row], dialect: str) -> Found:
    """Each event from which prerequisites that come before it in the story lead back to it."""

    def order(row: Row) -> list[tuple[bool, Any]]:
        columns = ("project_id", "story_date", "position", "created_at", "id")
        return [((row[name] is None) == (dialect == "postgres"), row[name] or 0) for name in columns]

    place = {row["id"]: number for number, row in enumerate(sorted(events, key=order))}
    needs = {row["id"]: [one for one in listed(row["prerequisite_ids"], dialect) if one in place] for row in events}
    found = []
    for start in place:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for one in needs[waiting.pop()]:
                if one not in seen and place[one] <= place[start]:
                    seen.add(one)
                    waiting.append(one)
        if start in seen:
            found.append((start, "must happen before itself, by way of its prerequisites"))
    return found


def expected(rows: Rows, dialect: str) -> dict[str, Found]:
    scenes, events, issues = rows["scenes"], rows["timeline_events"], rows["timeline_issues"]
    entities, locations = rows["entities"], rows["locations"]
    codex, places, happens = ({row["id"] for row in some} for some in (entities, locations, events))
    return {
        "scene-pov-character": lost(scenes, "pov_character_id", codex, "not in entities"),
        "scene-setting": lost(scenes, "setting_id", codex | places, "neither in entities nor in locations"),
        "leg-character": lost(rows["travel_legs"], "character_id", codex, "not in entities"),
        "issue-character": lost(issues, "affected_character_id", codex, "not in entities"),
        "event-characters": lost_from_lists(events, "character_ids", codex, "entities", dialect),
        "event-prerequisites": lost_from_lists(events, "prerequisite_ids", happens, "timeline_events", dialect),
        "issue-events": lost_from_lists(issues, "affected_event_ids", happens, "timeline_events", dialect),
        "event-json": not_lists(events, "character_ids", "prerequisite_ids"),
        "issue-json": not_lists(issues, "affected_event_ids"),
        "scene-pov-manuscript": [
            *apart(scenes, "pov_character_fk", "manuscript_id", entities, "manuscript_id"),
            *apart(scenes, "pov_character_id", "manuscript_id", entities, "manuscript_id"),
        ],
        "scene-setting-manuscript": [
            *apart(scenes, "setting_id", "manuscript_id", entities, "manuscript_id"),
            *apart(scenes, "setting_id", "manuscript_id", locations, "project_id"),
        ],
        "event-location-manuscript": apart(events, "location_id", "project_id", locations, "project_id"),
        "variant-main": second_mains(rows["variants"]),
        "event-cycle": circles(events, dialect),
    }


@pytest.mark.parametrize("dialect", ["sqlite", "postgres"])
def test_random_rows_are_judged_as_plain_python_judges_them(
    dialect: str, make_database: Callable[[str], Database]
) -> None:
    database = make_database(dialect)
    for migration in MIGRATIONS:
        database.script(migration.script(dialect))
    often: dict[str, int] = {}
    for seed in range(60):
        rows = random_rows(seed)
        fill(database, rows)
        wanted = expected(rows, dialect)
        with database.connect() as connection:
            report = verify(connection, dialect, only=wanted, sample=10_000)
        for result in report.checks:
            found = sorted((one.key, one.detail) for one in result.sample)
            assert found == sorted(wanted[result.name]), (seed, result.name)
            often[result.name] = often.get(result.name, 0) + bool(found)
    assert len(often) == 14 and all(times > 10 for times in often.values()), often
