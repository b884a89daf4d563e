-- check: scene-setting-manuscript
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.setting_id entities.manuscript_id
-- requires: locations.project_id
-- The setting of a scene belongs to the manuscript of the scene.
WITH apart (id, manuscript_id) AS MATERIALIZED (
    -- Sorted lists of pairs side by side: to look each id up costs several times as much. What is left over belongs to
    -- another manuscript, or is nowhere, which is for another check to say.
    SELECT s.setting_id, s.manuscript_id FROM scenes AS s NOT INDEXED
    WHERE s.setting_id IS NOT NULL AND s.manuscript_id IS NOT NULL
    EXCEPT SELECT e.id, e.manuscript_id FROM entities AS e NOT INDEXED
    EXCEPT SELECT l.id, l.project_id FROM locations AS l NOT INDEXED
    ORDER BY 1, 2
), twice (id) AS MATERIALIZED (
    -- An entity and a location may have the same id, of which one may fit and the other not.
    SELECT e.id FROM entities AS e INTERSECT SELECT l.id FROM locations AS l ORDER BY 1
), suspect (id, manuscript_id, setting_id) AS MATERIALIZED (
    SELECT s.id, s.manuscript_id, s.setting_id FROM scenes AS s NOT INDEXED
    WHERE (EXISTS (SELECT 1 FROM apart) OR EXISTS (SELECT 1 FROM twice))
      AND ((s.setting_id, s.manuscript_id) IN (SELECT a.id, a.manuscript_id FROM apart AS a)
           OR s.setting_id IN (SELECT t.id FROM twice AS t))
)
SELECT 'scenes' AS table_name, s.id AS row_key,
       'setting_id ' || e.id || ' belongs to manuscript ' || e.manuscript_id AS detail
FROM suspect AS s JOIN entities AS e ON e.id = s.setting_id
WHERE e.manuscript_id <> s.manuscript_id
UNION ALL
SELECT 'scenes', s.id, 'setting_id ' || l.id || ' belongs to manuscript ' || l.project_id
FROM suspect AS s JOIN locations AS l ON l.id = s.setting_id
WHERE l.project_id <> s.manuscript_id;
