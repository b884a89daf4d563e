-- check: event-cycle
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.prerequisite_ids timeline_events.project_id
-- requires: timeline_events.story_date timeline_events.position timeline_events.created_at
-- No event is, directly or through others, its own prerequisite; each circle is shown at its latest event.
WITH RECURSIVE list_of_texts (plain, pattern) AS NOT MATERIALIZED (
    -- The grammar of a flat array of texts (RFC 8259) as a regular expression: a cast would end the check at the first
    -- bad value, and IS JSON is younger than PostgreSQL 13. Lists of plain ids, which are the most, match at once.
    SELECT '^\["[-0-9A-Za-z]*"(?:, ?"[-0-9A-Za-z]*")*\]$',
           '^' || w || '\[' || w || '(?:' || s || w || '(?:,' || w || s || w || ')*)?\]' || w || '$'
    FROM (VALUES ('[ \t\n\r]*', '"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')) AS part (w, s)
), given (row_key, value, list, project_id, story_date, position, created_at) AS NOT MATERIALIZED (
    -- An escape may stand for what no text can hold: such a list is put off, and [null] stands for it.
    SELECT t.id, t.prerequisite_ids,
           CASE WHEN strpos(t.prerequisite_ids, '\u') > 0 THEN '[null]'
                WHEN t.prerequisite_ids ~ l.plain OR t.prerequisite_ids ~ l.pattern THEN t.prerequisite_ids::json
                ELSE '[]' END,
           t.project_id, t.story_date, t.position, t.created_at
    FROM timeline_events AS t CROSS JOIN list_of_texts AS l
    WHERE t.prerequisite_ids IS NOT NULL
), late (links) AS MATERIALIZED (
    -- What is to happen before an event that it does not come before in the story: the latest event of a circle is
    -- always such a one. Where the order of the story holds there is none, and nothing more to do.
    SELECT count(*)
    FROM given AS g CROSS JOIN LATERAL json_array_elements_text(g.list) AS j (id)
    LEFT JOIN timeline_events AS p ON p.id = j.id
    WHERE j.id IS NULL  -- put off: then all is looked at
       OR (p.project_id IS NULL, coalesce(p.project_id, ''), p.story_date IS NULL, coalesce(p.story_date, 'epoch'),
           p.position IS NULL, coalesce(p.position, 0), p.created_at IS NULL, coalesce(p.created_at, 'epoch'),
           p.id)
          >=
          (g.project_id IS NULL, coalesce(g.project_id, ''), g.story_date IS NULL, coalesce(g.story_date, 'epoch'),
           g.position IS NULL, coalesce(g.position, 0), g.created_at IS NULL, coalesce(g.created_at, 'epoch'),
           g.row_key)
), placed (id, value, place) AS MATERIALIZED (
    -- The order of the story. Numbers, side by side for each project, keep the walks small.
    SELECT v.id, v.prerequisite_ids,
           row_number() OVER (ORDER BY v.project_id, v.story_date, v.position, v.created_at, v.id)
    FROM timeline_events AS v
    WHERE (SELECT t.links FROM late AS t) > 0
), listed (event, id) AS (
    -- An escape that no text can hold is compared as it is written.
    SELECT e.place, CASE WHEN j.item::text ~ '\\u(?:0000|[dD][89a-fA-F])' THEN j.item::text ELSE j.item #>> '{}' END
    FROM placed AS e CROSS JOIN list_of_texts AS l CROSS JOIN LATERAL
         json_array_elements(CASE WHEN e.value ~ l.pattern THEN e.value::json ELSE '[]' END) AS j (item)
), link (event, prerequisite) AS MATERIALIZED (
    SELECT l.event, p.place FROM listed AS l JOIN placed AS p ON p.id = l.id
), walk (start, event) AS (
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
