-- check: event-characters
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.character_ids entities.id
-- Everyone who takes part in an event is in the codex. What is no list of ids is left to event-json.
WITH list_of_texts (plain, pattern) AS NOT MATERIALIZED (
    -- The grammar of a flat array of texts (RFC 8259) as a regular expression: a cast would end the check at the first
    -- bad value, and IS JSON is younger than PostgreSQL 13. Lists of plain ids, which are the most, match at once.
    SELECT '^\["[-0-9A-Za-z]*"(?:, ?"[-0-9A-Za-z]*")*\]$',
           '^' || w || '\[' || w || '(?:' || s || w || '(?:,' || w || s || w || ')*)?\]' || w || '$'
    FROM (VALUES ('[ \t\n\r]*', '"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')) AS part (w, s)
), given (row_key, value, list) AS NOT MATERIALIZED (
    -- An escape may stand for what no text can hold: such a list is put off, and [null] stands for it.
    SELECT t.id, t.character_ids,
           CASE WHEN strpos(t.character_ids, '\u') > 0 THEN '[null]'
                WHEN t.character_ids ~ l.plain OR t.character_ids ~ l.pattern THEN t.character_ids::json
                ELSE '[]' END
    FROM timeline_events AS t CROSS JOIN list_of_texts AS l
    WHERE t.character_ids IS NOT NULL
), lost (row_key, value, id) AS MATERIALIZED (
    SELECT g.row_key, g.value, j.id
    FROM given AS g CROSS JOIN LATERAL json_array_elements_text(g.list) AS j (id)
    WHERE NOT EXISTS (SELECT 1 FROM entities AS p WHERE p.id = j.id)
), listed (row_key, id) AS (
    -- What was put off. An escape that no text can hold is compared as it is written.
    SELECT o.row_key, CASE WHEN j.item::text ~ '\\u(?:0000|[dD][89a-fA-F])' THEN j.item::text ELSE j.item #>> '{}' END
    FROM lost AS o CROSS JOIN list_of_texts AS l CROSS JOIN LATERAL
         json_array_elements(CASE WHEN o.value ~ l.pattern THEN o.value::json ELSE '[]' END) AS j (item)
    WHERE o.id IS NULL
), absent (row_key, id) AS (
    SELECT o.row_key, o.id FROM lost AS o WHERE o.id IS NOT NULL
    UNION ALL
    SELECT l.row_key, l.id FROM listed AS l WHERE NOT EXISTS (SELECT 1 FROM entities AS p WHERE p.id = l.id)
)
SELECT 'timeline_events' AS table_name, a.row_key AS row_key,
       'character_ids: ' || a.id || ' is not in entities' AS detail
FROM absent AS a;
