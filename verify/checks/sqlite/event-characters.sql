-- check: event-characters
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.character_ids entities.id
-- Everyone who takes part in an event is in the codex. What is no list of ids is left to event-json.
WITH given (row_key, value) AS NOT MATERIALIZED (
    SELECT t.id, t.character_ids FROM timeline_events AS t WHERE t.character_ids IS NOT NULL
), whole (row_key, list) AS NOT MATERIALIZED (
    SELECT g.row_key, CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN g.value ELSE '[]' END
    FROM given AS g
), listed (row_key, id) AS NOT MATERIALIZED (
    SELECT w.row_key, j.value
    FROM whole AS w JOIN json_each(w.list) AS j
    WHERE j.type = 'text' AND typeof(j.key) = 'integer'  -- an object's keys are texts
), lost (id) AS MATERIALIZED (
    -- Two sorted lists side by side: to look each id up in an index costs several times as much.
    SELECT l.id FROM listed AS l EXCEPT SELECT p.id FROM entities AS p ORDER BY 1
)
SELECT 'timeline_events' AS table_name, l.row_key AS row_key,
       'character_ids: ' || l.id || ' is not in entities' AS detail
FROM listed AS l
WHERE EXISTS (SELECT 1 FROM lost) AND l.id IN (SELECT o.id FROM lost AS o);
