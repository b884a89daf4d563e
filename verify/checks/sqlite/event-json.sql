-- check: event-json
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.character_ids timeline_events.prerequisite_ids
-- The participants and the prerequisites of an event are JSON arrays of ids.
WITH given (row_key, column_name, value) AS (
    SELECT id, 'character_ids', character_ids FROM timeline_events WHERE character_ids <> '[]'
    UNION ALL
    SELECT id, 'prerequisite_ids', prerequisite_ids FROM timeline_events WHERE prerequisite_ids <> '[]'
)
SELECT 'timeline_events' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON array of ids: ' || substr(g.value, 1, 60) AS detail
FROM given AS g
WHERE CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) AND json_type(g.value) = 'array'
           THEN EXISTS (SELECT 1 FROM json_each(g.value) AS j WHERE j.type <> 'text') ELSE 1 END;
