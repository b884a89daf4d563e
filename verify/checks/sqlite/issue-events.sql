-- check: issue-events
-- severity: error
-- requires: manuscripts.lexical_state timeline_issues.affected_event_ids timeline_events.id
-- The events that an issue affects are there. What is no list of ids is left to issue-json.
WITH given (row_key, value) AS NOT MATERIALIZED (
    SELECT t.id, t.affected_event_ids FROM timeline_issues AS t WHERE t.affected_event_ids IS NOT NULL
), whole (row_key, list) AS NOT MATERIALIZED (
    SELECT g.row_key, CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN g.value ELSE '[]' END
    FROM given AS g
), listed (row_key, id) AS NOT MATERIALIZED (
    SELECT w.row_key, j.value
    FROM whole AS w JOIN json_each(w.list) AS j
    WHERE j.type = 'text' AND typeof(j.key) = 'integer'  -- an object's keys are texts
), lost (id) AS MATERIALIZED (
    -- Two sorted lists side by side: to look each id up in an index costs several times as much.
    SELECT l.id FROM listed AS l EXCEPT SELECT p.id FROM timeline_events AS p ORDER BY 1
)
SELECT 'timeline_issues' AS table_name, l.row_key AS row_key,
       'affected_event_ids: ' || l.id || ' is not in timeline_events' AS detail
FROM listed AS l
WHERE EXISTS (SELECT 1 FROM lost) AND l.id IN (SELECT o.id FROM lost AS o);
