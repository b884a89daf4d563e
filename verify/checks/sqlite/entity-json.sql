-- check: entity-json
-- severity: error
-- requires: manuscripts.lexical_state entities.aliases entities.attributes entities.appearance_history
-- The aliases and the appearances of an entity are JSON arrays, its attributes a JSON object.
WITH given (row_key, column_name, kind, value) AS (
    SELECT id, 'aliases', 'array', aliases FROM entities
    UNION ALL
    SELECT id, 'attributes', 'object', attributes FROM entities
    UNION ALL
    SELECT id, 'appearance_history', 'array', appearance_history FROM entities
)
SELECT 'entities' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON ' || g.kind || ': ' || substr(g.value, 1, 60) AS detail
FROM given AS g
WHERE g.value IS NOT NULL
  AND CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN json_type(g.value) <> g.kind ELSE 1 END;
