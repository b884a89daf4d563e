-- check: event-prerequisites
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.prerequisite_ids timeline_events.id
-- Whatever must happen before an event is itself an event. What is no list of ids is left to event-json.
WITH given (row_key, value) AS NOT MATERIALIZED (
    SELECT t.id, t.prerequisite_ids FROM timeline_events AS t WHERE t.prerequisite_ids IS NOT NULL
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
SELECT 'timeline_events' AS table_name, l.row_key AS row_key,
       'prerequisite_ids: ' || l.id || ' is not in timeline_events' AS detail
FROM listed AS l
WHERE EXISTS (SELECT 1 FROM lost) AND l.id IN (SELECT o.id FROM lost AS o);
