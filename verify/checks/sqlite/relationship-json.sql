-- check: relationship-json
-- severity: error
-- requires: manuscripts.lexical_state relationships.context
-- The context of a relationship is a JSON array.
WITH given (row_key, column_name, kind, value) AS (
    SELECT id, 'context', 'array', context FROM relationships
)
SELECT 'relationships' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON ' || g.kind || ': ' || substr(g.value, 1, 60) AS detail
FROM given AS g
WHERE g.value IS NOT NULL
  AND CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN json_type(g.value) <> g.kind ELSE 1 END;
