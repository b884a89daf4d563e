-- check: location-json
-- severity: error
-- requires: manuscripts.lexical_state locations.known_travel_methods
-- The known travel methods of a location are a JSON array.
WITH given (row_key, column_name, kind, value) AS (
    SELECT id, 'known_travel_methods', 'array', known_travel_methods FROM locations
)
SELECT 'locations' AS table_name, g.row_key AS row_key,
       g.column_name || ' is not a JSON ' || g.kind || ': ' || substr(g.value, 1, 60) AS detail
FROM given AS g
WHERE g.value IS NOT NULL
  AND CASE WHEN typeof(g.value) = 'text' AND json_valid(g.value) THEN json_type(g.value) <> g.kind ELSE 1 END;
