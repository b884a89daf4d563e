-- check: profile-json
-- severity: error
-- requires: manuscripts.lexical_state writing_profiles.common_patterns writing_profiles.improvement_areas
-- requires: writing_profiles.learned_preferences
-- The patterns and improvement areas of a writing profile are JSON arrays, its preferences a JSON object.
WITH RECURSIVE grammar (string, scalar, flat_array, flat_object, innermost) AS (
    -- JSON (RFC 8259) by regular expressions, for what IS JSON cannot be asked, and to hold its no against.
    SELECT s, n,
           '^' || w || '\[' || w || '(?:' || v || w || '(?:,' || w || v || w || ')*)?\]' || w || '$',
           '^' || w || '\{' || w || '(?:' || m || w || '(?:,' || w || m || w || ')*)?\}' || w || '$',
           '\[' || w || '(?:' || t || w || '(?:,' || w || t || w || ')*)?\]|'
           || '\{' || w || '(?:' || u || w || '(?:,' || w || u || w || ')*)?\}'
    FROM (VALUES (
        '[ \t\n\r]*',
        '"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"',
        '-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null'
    )) AS part (w, s, n)
    CROSS JOIN LATERAL (SELECT '(?:' || s || '|' || n || ')') AS value (v)
    CROSS JOIN LATERAL (SELECT s || w || ':' || w || v) AS member (m)
    CROSS JOIN LATERAL (SELECT '(?:0|"")', '""' || w || ':' || w || '(?:0|"")') AS token (t, u)
), given (row_key, column_name, kind, value) AS (
    SELECT id, 'common_patterns', 'array', common_patterns FROM writing_profiles
    UNION ALL
    SELECT id, 'improvement_areas', 'array', improvement_areas FROM writing_profiles
    UNION ALL
    SELECT id, 'learned_preferences', 'object', learned_preferences FROM writing_profiles
), reduced (row_key, column_name, kind, shown, begins, text, before, depth) AS (
    -- Others from the inside out: each string becomes "", each number and word 0; then each array and object of such
    -- is a value itself and becomes 0, until nothing changes. What is not one value then is not JSON.
    SELECT v.row_key, v.column_name, v.kind, left(v.value, 60), left(ltrim(v.value, E' \t\n\r'), 1),
           btrim(regexp_replace(regexp_replace(v.value, g.string, '""', 'g'), g.scalar, '0', 'g'), E' \t\n\r'),
           NULL, 0
    FROM given AS v CROSS JOIN grammar AS g
    -- PostgreSQL 16 knows JSON at a look. It follows the brackets by recursion, so it is not shown more than it can bear.
    WHERE CASE WHEN octet_length(v.value) <= 1000
                 OR length(v.value) - length(translate(v.value, '[{', '')) <= 1000
               THEN NOT CASE v.kind WHEN 'array' THEN v.value IS JSON ARRAY ELSE v.value IS JSON OBJECT END
               ELSE v.value !~ CASE v.kind WHEN 'array' THEN g.flat_array ELSE g.flat_object END END
    UNION ALL
    SELECT r.row_key, r.column_name, r.kind, r.shown, r.begins,
           regexp_replace(r.text, g.innermost, '0', 'g'), r.text, r.depth + 1
    FROM reduced AS r CROSS JOIN grammar AS g
    WHERE r.text NOT IN ('0', '""') AND r.text IS DISTINCT FROM r.before AND r.depth < 1000
)
SELECT 'writing_profiles' AS table_name, r.row_key AS row_key,
       r.column_name || ' is not a JSON ' || r.kind || ': ' || r.shown AS detail
FROM reduced AS r
WHERE (r.text IN ('0', '""') AND r.begins <> CASE r.kind WHEN 'array' THEN '[' ELSE '{' END)
   OR (r.text NOT IN ('0', '""') AND (r.text = r.before OR r.depth = 1000));
