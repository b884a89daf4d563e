-- Take back the timeline; the codex and the scenes stay as they are.

DROP INDEX idx_timeline_issues_severity;

DROP INDEX idx_travel_legs_character;

DROP INDEX idx_timeline_events_story_date;

DROP INDEX idx_timeline_events_project;

DROP TABLE location_distances;

DROP TABLE travel_speed_profiles;

DROP TABLE timeline_issues;

DROP TABLE travel_legs;

DROP TABLE timeline_events;

-- Last, because the tables above refer to it.
DROP TABLE locations;
