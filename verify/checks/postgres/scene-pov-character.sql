-- check: scene-pov-character
-- severity: warn
-- requires: manuscripts.lexical_state scenes.pov_character_id entities.id
-- The point-of-view character of a scene is in the codex (a warning: scenes may be older than the codex).
SELECT 'scenes' AS table_name, s.id AS row_key,
       'pov_character_id ' || s.pov_character_id || ' is not in entities' AS detail
FROM scenes AS s
WHERE s.pov_character_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM entities AS e WHERE e.id = s.pov_character_id);
