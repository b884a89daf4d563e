-- check: issue-json
-- severity: error
-- requires: manuscripts.lexical_state timeline_issues.affected_event_ids
-- The affected events of an issue are a JSON array of ids.
WITH given (row_key, column_name, value) AS (
    SELECT id, 'affected_event_ids', affected_event_ids FROM timeline_issues WHERE affected_event_ids <> '[]'
)
SELECT 'timeline_issues' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON array of ids: ' || substr(g.value, 1, 60) AS detail
FROM given AS g
WHERE CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) AND json_type(g.value) = 'array'
           THEN EXISTS (SELECT 1 FROM json_each(g.value) AS j WHERE j.type <> 'text') ELSE 1 END;
