-- check: profile-json
-- severity: error
-- requires: manuscripts.lexical_state writing_profiles.common_patterns writing_profiles.improvement_areas
-- requires: writing_profiles.learned_preferences
-- The patterns and improvement areas of a writing profile are JSON arrays, its preferences a JSON object.
WITH given (row_key, column_name, kind, value) AS (
    SELECT id, 'common_patterns', 'array', common_patterns FROM writing_profiles
    UNION ALL
    SELECT id, 'improvement_areas', 'array', improvement_areas FROM writing_profiles
    UNION ALL
    SELECT id, 'learned_preferences', 'object', learned_preferences FROM writing_profiles
)
SELECT 'writing_profiles' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON ' || g.kind || ': ' || substr(g.value, 1, 60) AS detail
FROM given AS g
WHERE g.value IS NOT NULL
  AND CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN json_type(g.value) <> g.kind ELSE 1 END;
