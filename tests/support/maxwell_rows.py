"""A small library of two manuscripts: clean data at each version of the schema, the same text for both dialects.

It is clean in every sense that a check may look for: each foreign key and each soft reference leads to a row of the
same manuscript, JSON is JSON, times are in order, word counts add up, a journey takes as long as its distance says.
"""

from __future__ import annotations

from tests.support.maxwell_schema import VERSIONS


def sample_rows(version: str) -> str:
    """Statements that fill the empty schema of ``version``: two rows or more in every table."""
    return "\n".join(rows_added_by(each) for each in VERSIONS[: VERSIONS.index(version) + 1])


def rows_added_by(version: str) -> str:
    """What ``sample_rows(version)`` has beyond the version before it: run it after an upgrade of a filled database."""
    return _ROWS[version]


# An id tells its table by its first digits: a manuscript 0a, scene 0b, snapshot 0c, variant 0d, entity 1a, relationship
# 1b, suggestion 1c, location 2a, event 2b, travel leg 2c, issue 2d, speed profile 2e, distance 2f, feedback 3a, writing
# profile 3b, pattern 3c. The digits at the end count: 1x belongs to the first manuscript, 2x to the second.
_ROWS = {
    "1.0.0": """\
INSERT INTO manuscripts (id, title, created_at, updated_at, word_count, lexical_state, genre, target_word_count) VALUES
    ('0a000000-0000-4000-8000-000000000010', 'The Salt Road', '2025-12-15 10:30:00', '2026-01-30 21:05:00', 31,
     '{"root": {"type": "root", "version": 1, "children": []}}', 'historical', 90000),
    ('0a000000-0000-4000-8000-000000000020', 'Élise''s Orchard', '2025-12-16 08:00:00', '2026-01-28 07:45:00', 12,
     NULL, NULL, NULL);
""",
    "1.0.1": """\
INSERT INTO scenes (id, manuscript_id, position, content, word_count, pov_character_id, setting_id, created_at,
    updated_at) VALUES
    ('0b000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010', 1,
     'Maren counted the sacks twice before the harbour bell rang.', 10,
     '1a000000-0000-4000-8000-000000000011', '1a000000-0000-4000-8000-000000000013',
     '2025-12-18 15:00:00', '2025-12-20 09:12:00'),
    ('0b000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010', 2,
     'The road to the abbey was white, and not with snow.', 11,
     '1a000000-0000-4000-8000-000000000011', NULL, '2025-12-19 11:00:00', '2025-12-19 11:40:00'),
    ('0b000000-0000-4000-8000-000000000013', '0a000000-0000-4000-8000-000000000010', 3,
     'Brother Anselm had the ledger open; one line was missing.', 10,
     '1a000000-0000-4000-8000-000000000012', '1a000000-0000-4000-8000-000000000014',
     '2025-12-21 20:00:00', '2026-01-30 21:05:00'),
    ('0b000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020', 1,
     'Nobody had pruned the pear trees since Élise went to the city.', 12,
     '1a000000-0000-4000-8000-000000000021', '1a000000-0000-4000-8000-000000000022',
     '2025-12-22 06:30:00', '2026-01-28 07:45:00'),
    ('0b000000-0000-4000-8000-000000000022', '0a000000-0000-4000-8000-000000000020', 2,
     NULL, 0, NULL, NULL, '2026-01-28 07:50:00', '2026-01-28 07:50:00');
""",
    "1.0.2": """\
INSERT INTO snapshots (id, manuscript_id, git_commit_hash, label, trigger_type, word_count, created_at) VALUES
    ('0c000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010',
     '3f786850e387550fdab836ed7e6dc881de23001b', NULL, 'AUTO_SAVE', 21, '2025-12-22 12:00:00'),
    ('0c000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010',
     '89e6c98d92887913cadf06b2adb97f26cde4849b', 'First draft of chapter one', 'MANUAL', 31, '2026-01-30 21:06:00'),
    ('0c000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020',
     '2b66fd261ee5c6cfc8de7fa466bab600bcfe4f69', NULL, 'PRE_GENERATION', 12, '2026-01-28 07:46:00');

INSERT INTO variants (id, scene_id, label, content, is_main, created_at) VALUES
    ('0d000000-0000-4000-8000-000000000011', '0b000000-0000-4000-8000-000000000012', 'As it stands',
     'The road to the abbey was white, and not with snow.', TRUE, '2025-12-22 12:10:00'),
    ('0d000000-0000-4000-8000-000000000012', '0b000000-0000-4000-8000-000000000012', 'Winter version',
     'Snow lay on the road to the abbey, or so she hoped.', FALSE, '2025-12-22 12:15:00'),
    ('0d000000-0000-4000-8000-000000000021', '0b000000-0000-4000-8000-000000000021', 'Present tense',
     NULL, FALSE, '2025-12-23 07:00:00');
""",
    "1.1.0": """\
INSERT INTO entities (id, manuscript_id, type, name, aliases, attributes, appearance_history, image_seed, created_at,
    updated_at) VALUES
    ('1a000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010', 'CHARACTER', 'Maren Holt',
     '["Maren", "the salt widow"]', '{"age": 34, "trade": "salt carrier"}',
     '["0b000000-0000-4000-8000-000000000011", "0b000000-0000-4000-8000-000000000012"]', 4711,
     '2026-01-05 09:30:00', '2026-01-06 10:00:00'),
    ('1a000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010', 'CHARACTER', 'Brother Anselm',
     '[]', '{"age": 61, "order": "Cistercian"}', '["0b000000-0000-4000-8000-000000000013"]', NULL,
     '2026-01-05 09:35:00', '2026-01-05 09:35:00'),
    ('1a000000-0000-4000-8000-000000000013', '0a000000-0000-4000-8000-000000000010', 'LOCATION', 'Westhaven',
     NULL, '{"kind": "harbour"}', NULL, NULL, '2026-01-05 09:40:00', '2026-01-05 09:40:00'),
    ('1a000000-0000-4000-8000-000000000014', '0a000000-0000-4000-8000-000000000010', 'LOCATION', 'Abbey of Saint Ode',
     NULL, NULL, NULL, NULL, '2026-01-05 09:41:00', '2026-01-05 09:41:00'),
    ('1a000000-0000-4000-8000-000000000015', '0a000000-0000-4000-8000-000000000010', 'ITEM', 'The ledger',
     '["the book"]', '{"pages": 212}', '[]', 7, '2026-01-05 09:45:00', '2026-01-05 09:45:00'),
    ('1a000000-0000-4000-8000-000000000016', '0a000000-0000-4000-8000-000000000010', 'LORE', 'The salt tax',
     NULL, NULL, NULL, NULL, '2026-01-05 09:46:00', '2026-01-05 09:46:00'),
    ('1a000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020', 'CHARACTER', 'Élise Morel',
     '["Lili"]', '{"age": 19}', NULL, 12, '2026-01-07 08:00:00', '2026-01-07 08:00:00'),
    ('1a000000-0000-4000-8000-000000000022', '0a000000-0000-4000-8000-000000000020', 'LOCATION', 'The orchard',
     NULL, NULL, NULL, NULL, '2026-01-07 08:01:00', '2026-01-07 08:01:00');

INSERT INTO relationships (id, source_entity_id, target_entity_id, relationship_type, strength, context, created_at)
    VALUES
    ('1b000000-0000-4000-8000-000000000011', '1a000000-0000-4000-8000-000000000011',
     '1a000000-0000-4000-8000-000000000012', 'distrusts', 3, '["one line was missing"]', '2026-01-05 10:00:00'),
    ('1b000000-0000-4000-8000-000000000012', '1a000000-0000-4000-8000-000000000012',
     '1a000000-0000-4000-8000-000000000015', 'owns', 1, NULL, '2026-01-05 10:01:00'),
    ('1b000000-0000-4000-8000-000000000021', '1a000000-0000-4000-8000-000000000021',
     '1a000000-0000-4000-8000-000000000022', 'grew up in', 5, '[]', '2026-01-07 08:05:00');

INSERT INTO entity_suggestions (id, manuscript_id, scene_id, suggested_name, suggested_type, confidence, status,
    created_at) VALUES
    ('1c000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010',
     '0b000000-0000-4000-8000-000000000013', 'Brother Anselm', 'CHARACTER', 0.97, 'APPROVED', '2026-01-05 09:34:00'),
    ('1c000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010',
     '0b000000-0000-4000-8000-000000000011', 'the harbour bell', 'ITEM', 0.41, 'REJECTED', '2026-01-05 09:36:00'),
    ('1c000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020',
     '0b000000-0000-4000-8000-000000000021', 'the city', 'LOCATION', 0.66, 'PENDING', '2026-01-07 08:10:00');

UPDATE scenes SET pov_character_fk = pov_character_id;
""",
    "1.2.0": """\
INSERT INTO locations (id, project_id, name, description, travel_distance_km, known_travel_methods, created_at,
    updated_at) VALUES
    ('2a000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010', 'Westhaven',
     'A harbour that smells of salt and tar.', 0, '["walking", "carriage", "sailing"]',
     '2026-01-12 11:00:00', '2026-01-12 11:00:00'),
    ('2a000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010', 'Abbey of Saint Ode',
     NULL, 120, '["walking", "carriage"]', '2026-01-12 11:02:00', '2026-01-13 16:00:00'),
    ('2a000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020', 'The orchard',
     NULL, NULL, NULL, '2026-01-14 08:00:00', '2026-01-14 08:00:00');

INSERT INTO timeline_events (id, project_id, name, description, story_date, position, event_type, character_ids,
    location_id, prerequisite_ids, narrative_importance, notes, created_at, updated_at) VALUES
    ('2b000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010', 'The sacks are counted',
     'Two sacks fewer than were paid for.', '1348-05-01 06:00:00', 0.0, 'discovery',
     '["1a000000-0000-4000-8000-000000000011"]', '2a000000-0000-4000-8000-000000000011', '[]', 0.4, NULL,
     '2026-01-12 11:10:00', '2026-01-12 11:10:00'),
    ('2b000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010', 'Maren sees the ledger',
     NULL, '1348-05-06 09:00:00', 0.75, 'confrontation',
     '["1a000000-0000-4000-8000-000000000011", "1a000000-0000-4000-8000-000000000012"]',
     '2a000000-0000-4000-8000-000000000012', '["2b000000-0000-4000-8000-000000000011"]', 0.9,
     'She must have walked here first.', '2026-01-12 11:15:00', '2026-01-13 16:05:00'),
    ('2b000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020', 'The pears ripen',
     NULL, NULL, 1.0, NULL, NULL, NULL, NULL, 0.5, NULL, '2026-01-14 08:05:00', '2026-01-14 08:05:00');

INSERT INTO travel_legs (id, project_id, character_id, from_location_id, to_location_id, depart_date, arrival_date,
    travel_method, estimated_days, notes, created_at, updated_at) VALUES
    ('2c000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010',
     '1a000000-0000-4000-8000-000000000011', '2a000000-0000-4000-8000-000000000011',
     '2a000000-0000-4000-8000-000000000012', '1348-05-02 07:00:00', '1348-05-05 07:00:00', 'walking', 3,
     'With the last of the carriers.', '2026-01-12 11:20:00', '2026-01-12 11:20:00'),
    ('2c000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010',
     '1a000000-0000-4000-8000-000000000011', '2a000000-0000-4000-8000-000000000012',
     '2a000000-0000-4000-8000-000000000011', '1348-05-07 08:00:00', NULL, 'carriage', 2, NULL,
     '2026-01-12 11:22:00', '2026-01-12 11:22:00');

INSERT INTO timeline_issues (id, project_id, issue_type, severity, affected_event_ids, affected_character_id,
    description, suggestion, teaching_point, is_resolved, resolution_notes, created_at, updated_at) VALUES
    ('2d000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010', 'impossible_travel', 'error',
     '["2b000000-0000-4000-8000-000000000011", "2b000000-0000-4000-8000-000000000012"]',
     '1a000000-0000-4000-8000-000000000011', 'Maren reaches the abbey on the day she leaves the harbour.',
     'Give her three days on the road.', 'Readers count days when the weather is named.', TRUE, 'Added a travel leg.',
     '2026-01-12 11:30:00', '2026-01-13 16:10:00'),
    ('2d000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020', 'missing_date', 'warning',
     '["2b000000-0000-4000-8000-000000000021"]', NULL, 'The harvest has no date.', 'Name a month.', NULL, FALSE, NULL,
     '2026-01-14 08:10:00', '2026-01-14 08:10:00');

INSERT INTO travel_speed_profiles (id, project_id, walking, horse, carriage, sailing, flying, teleportation,
    custom1_name, custom1_speed, custom2_name, custom2_speed, rules, created_at, updated_at) VALUES
    ('2e000000-0000-4000-8000-000000000010', '0a000000-0000-4000-8000-000000000010', 40, 80, 60, 150, 200, 999999,
     'ox cart', 22.5, NULL, NULL, 'No sailing from November to March.', '2026-01-12 11:40:00', '2026-01-12 11:40:00'),
    ('2e000000-0000-4000-8000-000000000020', '0a000000-0000-4000-8000-000000000020', 35, 80, 60, 150, 200, 999999,
     NULL, NULL, NULL, NULL, NULL, '2026-01-14 08:15:00', '2026-01-14 08:15:00');

INSERT INTO location_distances (id, project_id, from_location_id, to_location_id, distance_km, notes, created_at) VALUES
    ('2f000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010',
     '2a000000-0000-4000-8000-000000000011', '2a000000-0000-4000-8000-000000000012', 120, 'By the salt road.',
     '2026-01-12 11:50:00'),
    ('2f000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010',
     '2a000000-0000-4000-8000-000000000012', '2a000000-0000-4000-8000-000000000011', 120, NULL, '2026-01-12 11:51:00');
""",
    "1.3.0": """\
INSERT INTO coaching_history (id, manuscript_id, scene_id, feedback_category, severity, issue, suggestion,
    teaching_point, user_reaction, user_applied, created_at) VALUES
    ('3a000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010',
     '0b000000-0000-4000-8000-000000000012', 'style', 'minor', 'The colour is told before it is seen.',
     'Let her taste the road.', 'A sense other than sight is remembered longer.', 'helpful', TRUE,
     '2026-01-26 12:00:00'),
    ('3a000000-0000-4000-8000-000000000012', '0a000000-0000-4000-8000-000000000010', NULL, 'structure', NULL,
     'Two scenes in a row begin with weather.', NULL, NULL, 'not_helpful', FALSE, '2026-01-27 09:00:00'),
    ('3a000000-0000-4000-8000-000000000013', '0a000000-0000-4000-8000-000000000010',
     '0b000000-0000-4000-8000-000000000013', 'style', 'minor', 'A semicolon in dialogue.', NULL, NULL, 'ignored',
     FALSE, '2026-01-27 09:05:00'),
    ('3a000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020',
     '0b000000-0000-4000-8000-000000000021', 'pacing', 'major', 'Nothing has changed by the end.', 'End on the letter.',
     NULL, NULL, NULL, '2026-01-28 07:48:00');

INSERT INTO writing_profiles (id, manuscript_id, average_scene_length, preferred_pacing, common_patterns,
    improvement_areas, learned_preferences, updated_at) VALUES
    ('3b000000-0000-4000-8000-000000000010', '0a000000-0000-4000-8000-000000000010', 10, 'slow',
     '["weather openings"]', '["dialogue"]', '{"tone": "dry", "examples": true}', '2026-01-27 09:10:00'),
    ('3b000000-0000-4000-8000-000000000020', '0a000000-0000-4000-8000-000000000020', NULL, NULL, NULL, NULL, NULL,
     '2026-01-28 07:49:00');

INSERT INTO feedback_patterns (id, manuscript_id, pattern_type, occurrences, first_detected, last_detected,
    resolution_rate) VALUES
    ('3c000000-0000-4000-8000-000000000011', '0a000000-0000-4000-8000-000000000010', 'weather_opening', 2,
     '2026-01-26 12:00:00', '2026-01-27 09:00:00', 0.5),
    ('3c000000-0000-4000-8000-000000000021', '0a000000-0000-4000-8000-000000000020', 'static_ending', 1,
     '2026-01-28 07:48:00', '2026-01-28 07:48:00', 0);
""",
}
