-- check: event-range
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.position timeline_events.narrative_importance
-- The position and the importance of an event lie between 0 and 1.
SELECT 'timeline_events' AS table_name, t.id AS row_key,
       'position is ' || t.position AS detail
FROM timeline_events AS t WHERE t.position NOT BETWEEN 0 AND 1
UNION ALL
SELECT 'timeline_events', t.id, 'narrative_importance is ' || t.narrative_importance
FROM timeline_events AS t WHERE t.narrative_importance NOT BETWEEN 0 AND 1;
