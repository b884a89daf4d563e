-- check: scene-pov-character
-- severity: warn
-- requires: manuscripts.lexical_state scenes.pov_character_id entities.id
-- The point-of-view character of a scene is in the codex (a warning: scenes may be older than the codex).
WITH lost (id) AS MATERIALIZED (
    -- Two sorted lists side by side: to look each id up in an index costs several times as much.
    SELECT s.pov_character_id FROM scenes AS s WHERE s.pov_character_id IS NOT NULL
    EXCEPT SELECT e.id FROM entities AS e
    ORDER BY 1
)
SELECT 'scenes' AS table_name, s.id AS row_key,
       'pov_character_id ' || s.pov_character_id || ' is not in entities' AS detail
FROM scenes AS s
WHERE EXISTS (SELECT 1 FROM lost) AND s.pov_character_id IN (SELECT l.id FROM lost AS l);
