-- check: event-json
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.character_ids timeline_events.prerequisite_ids
-- The participants and the prerequisites of an event are JSON arrays of ids.
WITH given (row_key, column_name, value) AS (
    SELECT id, 'character_ids', character_ids FROM timeline_events WHERE character_ids IS NOT NULL
    UNION ALL
    SELECT id, 'prerequisite_ids', prerequisite_ids FROM timeline_events WHERE prerequisite_ids IS NOT NULL
), whole (row_key, column_name, value, list) AS (
    SELECT g.row_key, g.column_name, g.value,
           CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN g.value ELSE '0' END
    FROM given AS g
)
SELECT 'timeline_events' AS table_name, w.row_key AS row_key,
       w.column_name || ' is not a JSON array of ids: ' || substr(w.value, 1, 60) AS detail
FROM whole AS w
WHERE json_type(w.list) <> 'array'
   OR EXISTS (SELECT 1 FROM json_each(w.list) AS j WHERE j.type <> 'text');
