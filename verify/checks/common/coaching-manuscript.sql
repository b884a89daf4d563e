-- check: coaching-manuscript
-- severity: error
-- requires: manuscripts.lexical_state coaching_history.manuscript_id coaching_history.scene_id scenes.manuscript_id
-- Advice and the scene that it is about belong to one manuscript.
SELECT 'coaching_history' AS table_name, h.id AS row_key,
       'scene_id ' || s.id || ' belongs to manuscript ' || s.manuscript_id AS detail
FROM coaching_history AS h JOIN scenes AS s ON s.id = h.scene_id
WHERE s.manuscript_id <> h.manuscript_id;
