-- check: event-cycle
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.prerequisite_ids timeline_events.project_id
-- requires: timeline_events.story_date timeline_events.position timeline_events.created_at
-- No event is, directly or through others, its own prerequisite; each circle is shown at its latest event.
WITH RECURSIVE list_of_texts (pattern) AS (
    -- The grammar of a flat array of texts (RFC 8259) as a regular expression: a cast would end the check at the first
    -- bad value, and IS JSON is younger than PostgreSQL 13.
    SELECT '^' || w || '\[' || w || '(?:' || s || w || '(?:,' || w || s || w || ')*)?\]' || w || '$'
    FROM (VALUES ('[ \t\n\r]*', '"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')) AS part (w, s)
), given (row_key, list) AS (
    SELECT t.id, CASE WHEN t.prerequisite_ids ~ g.pattern THEN t.prerequisite_ids::json ELSE '[]' END
    FROM timeline_events AS t CROSS JOIN list_of_texts AS g
    WHERE t.prerequisite_ids IS NOT NULL
), listed (row_key, id) AS (
    -- An escape that no text can hold is compared as it is written.
    SELECT g.row_key, CASE WHEN j.item::text ~ '\\u(?:0000|[dD][89a-fA-F])' THEN j.item::text ELSE j.item #>> '{}' END
    FROM given AS g CROSS JOIN LATERAL json_array_elements(g.list) AS j (item)
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
