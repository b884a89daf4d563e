-- check: event-characters
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.character_ids entities.id
-- Everyone who takes part in an event is in the codex. What is no list of ids is left to event-json.
WITH list_of_texts (pattern) AS (
    -- The grammar of a flat array of texts (RFC 8259) as a regular expression: a cast would end the check at the first
    -- bad value, and IS JSON is younger than PostgreSQL 13.
    SELECT '^' || w || '\[' || w || '(?:' || s || w || '(?:,' || w || s || w || ')*)?\]' || w || '$'
    FROM (VALUES ('[ \t\n\r]*', '"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')) AS part (w, s)
), given (row_key, list) AS (
    SELECT t.id, CASE WHEN t.character_ids ~ g.pattern THEN t.character_ids::json ELSE '[]' END
    FROM timeline_events AS t CROSS JOIN list_of_texts AS g
    WHERE t.character_ids IS NOT NULL
), listed (row_key, id) AS (
    -- An escape that no text can hold is compared as it is written.
    SELECT g.row_key, CASE WHEN j.item::text ~ '\\u(?:0000|[dD][89a-fA-F])' THEN j.item::text ELSE j.item #>> '{}' END
    FROM given AS g CROSS JOIN LATERAL json_array_elements(g.list) AS j (item)
)
SELECT 'timeline_events' AS table_name, l.row_key AS row_key,
       'character_ids: ' || l.id || ' is not in entities' AS detail
FROM listed AS l
WHERE NOT EXISTS (SELECT 1 FROM entities AS p WHERE p.id = l.id);
