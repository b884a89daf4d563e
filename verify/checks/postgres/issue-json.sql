-- check: issue-json
-- severity: error
-- requires: manuscripts.lexical_state timeline_issues.affected_event_ids
-- The affected events of an issue are a JSON array of ids.
WITH list_of_texts (plain, pattern) AS NOT MATERIALIZED (
    -- The grammar of a flat array of texts (RFC 8259) as a regular expression: a cast would end the check at the first
    -- bad value, and IS JSON is younger than PostgreSQL 13. Lists of plain ids, which are the most, match at once.
    SELECT '^\["[-0-9A-Za-z]*"(?:, ?"[-0-9A-Za-z]*")*\]$',
           '^' || w || '\[' || w || '(?:' || s || w || '(?:,' || w || s || w || ')*)?\]' || w || '$'
    FROM (VALUES ('[ \t\n\r]*', '"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')) AS part (w, s)
), given (row_key, column_name, value) AS (
    SELECT id, 'affected_event_ids', affected_event_ids FROM timeline_issues WHERE affected_event_ids IS NOT NULL
)
SELECT 'timeline_issues' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON array of ids: ' || left(g.value, 60) AS detail
FROM given AS g CROSS JOIN list_of_texts AS l
WHERE g.value !~ l.plain AND g.value !~ l.pattern;
