-- check: scene-setting-manuscript
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.setting_id entities.manuscript_id
-- requires: locations.project_id
-- The setting of a scene belongs to the manuscript of the scene.
SELECT 'scenes' AS table_name, s.id AS row_key,
       'setting_id ' || p.id || ' belongs to manuscript ' || p.manuscript_id AS detail
FROM scenes AS s
JOIN (
    SELECT e.id, e.manuscript_id FROM entities AS e
    UNION ALL
    SELECT l.id, l.project_id FROM locations AS l
) AS p (id, manuscript_id) ON p.id = s.setting_id
WHERE p.manuscript_id <> s.manuscript_id;
