-- check: suggestion-manuscript
-- severity: error
-- requires: manuscripts.lexical_state entity_suggestions.manuscript_id entity_suggestions.scene_id scenes.manuscript_id
-- A suggested entity and the scene that it was found in belong to one manuscript.
SELECT 'entity_suggestions' AS table_name, g.id AS row_key,
       'scene_id ' || s.id || ' belongs to manuscript ' || s.manuscript_id AS detail
FROM entity_suggestions AS g JOIN scenes AS s ON s.id = g.scene_id
WHERE s.manuscript_id <> g.manuscript_id;
