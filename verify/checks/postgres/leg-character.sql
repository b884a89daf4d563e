-- check: leg-character
-- severity: error
-- requires: manuscripts.lexical_state travel_legs.character_id entities.id
-- Whoever travels is in the codex.
SELECT 'travel_legs' AS table_name, t.id AS row_key,
       'character_id ' || t.character_id || ' is not in entities' AS detail
FROM travel_legs AS t
WHERE t.character_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM entities AS e WHERE e.id = t.character_id);
