-- check: event-cycle
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.prerequisite_ids timeline_events.project_id
-- requires: timeline_events.story_date timeline_events.position timeline_events.created_at
-- No event is, directly or through others, its own prerequisite; each circle is shown at its latest event.
WITH RECURSIVE event (id, list, project_id, story_date, position, created_at) AS NOT MATERIALIZED (
    -- With what the order of the story is made of. Minus infinity is for NULL, which comes before all else as well, but
    -- cannot be compared.
    SELECT t.id, CASE WHEN typeof(t.prerequisite_ids) = 'text' AND json_valid(t.prerequisite_ids)
                      THEN t.prerequisite_ids ELSE '[]' END,
           coalesce(t.project_id, -9e999), coalesce(t.story_date, -9e999),
           coalesce(t.position, -9e999), coalesce(t.created_at, -9e999)
    FROM timeline_events AS t
), late (id) AS MATERIALIZED (
    -- What is to happen before an event that it does not come before in the story: the latest event of a circle is
    -- always such a one. Where the order of the story holds there is none, and nothing more to do.
    SELECT DISTINCT p.id
    FROM event AS e JOIN json_each(e.list) AS j JOIN event AS p ON p.id = j.value
    WHERE j.type = 'text' AND typeof(j.key) = 'integer'  -- an object's keys are texts
      AND (p.project_id, p.story_date, p.position, p.created_at, p.id)
          >= (e.project_id, e.story_date, e.position, e.created_at, e.id)
), before_late (id) AS (
    -- All that must happen before these, and they themselves: all circles lie in here.
    SELECT l.id FROM late AS l
    UNION  -- not UNION ALL: each event is met once, so that circles end
    SELECT p.id
    FROM before_late AS b JOIN event AS e ON e.id = b.id JOIN json_each(e.list) AS j
    JOIN timeline_events AS p ON p.id = j.value
    WHERE j.type = 'text' AND typeof(j.key) = 'integer'
), placed (id, list, place) AS MATERIALIZED (
    -- Numbers, side by side for each project, keep the walks small.
    SELECT e.id, e.list, row_number() OVER (ORDER BY e.project_id, e.story_date, e.position, e.created_at, e.id)
    FROM before_late AS b JOIN event AS e ON e.id = b.id
), link (event, prerequisite) AS MATERIALIZED (
    SELECT e.place, p.place
    FROM placed AS e JOIN json_each(e.list) AS j JOIN placed AS p ON p.id = j.value
    WHERE j.type = 'text' AND typeof(j.key) = 'integer'
), walk (start, event) AS (
    SELECT l.prerequisite, l.prerequisite FROM link AS l WHERE l.prerequisite >= l.event
    UNION
    SELECT w.start, l.prerequisite FROM walk AS w JOIN link AS l ON l.event = w.event
    WHERE l.prerequisite < w.start
), circle (start) AS (
    SELECT w.start FROM walk AS w JOIN link AS l ON l.event = w.event AND l.prerequisite = w.start
)
SELECT 'timeline_events' AS table_name, p.id AS row_key,
       'must happen before itself, by way of its prerequisites' AS detail
FROM placed AS p
WHERE p.place IN (SELECT c.start FROM circle AS c)
ORDER BY p.place;
