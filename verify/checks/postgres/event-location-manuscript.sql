-- check: event-location-manuscript
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.project_id timeline_events.location_id locations.project_id
-- An event and its location belong to one manuscript.
SELECT 'timeline_events' AS table_name, v.id AS row_key,
       'location_id ' || l.id || ' belongs to manuscript ' || l.project_id AS detail
FROM timeline_events AS v JOIN locations AS l ON l.id = v.location_id
WHERE l.project_id <> v.project_id;
