-- check: event-cycle
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.prerequisite_ids timeline_events.project_id
-- requires: timeline_events.story_date timeline_events.position timeline_events.created_at
-- No event is, directly or through others, its own prerequisite; each circle is shown at its latest event.
WITH RECURSIVE given (row_key, value) AS (
    SELECT t.id, t.prerequisite_ids FROM timeline_events AS t WHERE t.prerequisite_ids IS NOT NULL
), whole (row_key, list) AS (
    SELECT g.row_key, CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN g.value ELSE '[]' END
    FROM given AS g
), listed (row_key, id) AS (
    SELECT w.row_key, j.value
    FROM whole AS w JOIN json_each(w.list) AS j
    WHERE j.type = 'text' AND typeof(j.key) = 'integer'  -- an object's keys are texts
), placed (id, place) AS MATERIALIZED (
    -- The order of the story. Numbers, side by side for each project, keep the walks small.
    SELECT v.id, row_number() OVER (ORDER BY v.project_id, v.story_date, v.position, v.created_at, v.id)
    FROM timeline_events AS v
), link (event, prerequisite) AS MATERIALIZED (
    SELECT e.place, p.place FROM listed AS l JOIN placed AS e ON e.id = l.row_key JOIN placed AS p ON p.id = l.id
), walk (start, event) AS (
    -- From each event that is to happen before one that comes before it in the story: the latest event of a circle is
    -- always such a one. Where the order of the story holds there is none, and nothing to walk.
    SELECT l.prerequisite, l.prerequisite FROM link AS l WHERE l.prerequisite >= l.event
    UNION  -- not UNION ALL: each event is met once on a walk, so that circles end
    SELECT w.start, l.prerequisite FROM walk AS w JOIN link AS l ON l.event = w.event
    WHERE l.prerequisite < w.start
), circle (start) AS (
    SELECT w.start FROM walk AS w JOIN link AS l ON l.event = w.event AND l.prerequisite = w.start
)
SELECT 'timeline_events' AS table_name, p.id AS row_key,
       'must happen before itself, by way of its prerequisites' AS detail
FROM placed AS p
WHERE p.place IN (SELECT c.start FROM circle AS c);
