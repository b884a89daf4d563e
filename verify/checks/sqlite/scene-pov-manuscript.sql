-- check: scene-pov-manuscript
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.pov_character_id scenes.pov_character_fk
-- requires: entities.manuscript_id
-- The point-of-view character of a scene belongs to the manuscript of the scene.
WITH apart (id, manuscript_id) AS MATERIALIZED (
    -- Sorted lists of pairs side by side: to look each id up costs several times as much. What is left over belongs to
    -- another manuscript, or is nowhere, which is for other checks to say.
    SELECT s.pov_character_fk, s.manuscript_id FROM scenes AS s NOT INDEXED
    WHERE s.pov_character_fk IS NOT NULL AND s.manuscript_id IS NOT NULL
    UNION ALL
    SELECT s.pov_character_id, s.manuscript_id FROM scenes AS s NOT INDEXED
    WHERE s.pov_character_id IS NOT s.pov_character_fk AND s.manuscript_id IS NOT NULL
    EXCEPT SELECT e.id, e.manuscript_id FROM entities AS e NOT INDEXED
    ORDER BY 1, 2
), suspect (id, manuscript_id, pov_character_fk, pov_character_id) AS MATERIALIZED (
    SELECT s.id, s.manuscript_id, s.pov_character_fk, s.pov_character_id FROM scenes AS s NOT INDEXED
    WHERE EXISTS (SELECT 1 FROM apart)
      AND ((s.pov_character_fk, s.manuscript_id) IN (SELECT a.id, a.manuscript_id FROM apart AS a)
           OR (s.pov_character_id, s.manuscript_id) IN (SELECT a.id, a.manuscript_id FROM apart AS a))
)
SELECT 'scenes' AS table_name, s.id AS row_key,
       'pov_character_fk ' || e.id || ' belongs to manuscript ' || e.manuscript_id AS detail
FROM suspect AS s JOIN entities AS e ON e.id = s.pov_character_fk
WHERE e.manuscript_id <> s.manuscript_id
UNION ALL
SELECT 'scenes', s.id, 'pov_character_id ' || e.id || ' belongs to manuscript ' || e.manuscript_id
FROM suspect AS s JOIN entities AS e ON e.id = s.pov_character_id
WHERE e.manuscript_id <> s.manuscript_id;
