-- check: scene-pov-manuscript
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.pov_character_id scenes.pov_character_fk
-- requires: entities.manuscript_id
-- The point-of-view character of a scene belongs to the manuscript of the scene.
SELECT 'scenes' AS table_name, s.id AS row_key,
       'pov_character_fk ' || e.id || ' belongs to manuscript ' || e.manuscript_id AS detail
FROM scenes AS s JOIN entities AS e ON e.id = s.pov_character_fk
WHERE e.manuscript_id <> s.manuscript_id
UNION ALL
SELECT 'scenes', s.id, 'pov_character_id ' || e.id || ' belongs to manuscript ' || e.manuscript_id
FROM scenes AS s JOIN entities AS e ON e.id = s.pov_character_id
WHERE e.manuscript_id <> s.manuscript_id;
