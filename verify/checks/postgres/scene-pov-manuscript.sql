-- check: scene-pov-manuscript
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.pov_character_id scenes.pov_character_fk
-- requires: entities.manuscript_id
-- The point-of-view character of a scene belongs to the manuscript of the scene.
SELECT 'scenes' AS table_name, s.id AS row_key,
       n.column_name || ' ' || e.id || ' belongs to manuscript ' || e.manuscript_id AS detail
FROM scenes AS s
CROSS JOIN LATERAL (VALUES ('pov_character_fk', s.pov_character_fk), ('pov_character_id', s.pov_character_id))
    AS n (column_name, id)
JOIN entities AS e ON e.id = n.id
WHERE e.manuscript_id <> s.manuscript_id;
