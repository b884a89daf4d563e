-- check: scene-setting-manuscript
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.setting_id entities.manuscript_id
-- requires: locations.project_id
-- The setting of a scene belongs to the manuscript of the scene.
SELECT 'scenes' AS table_name, s.id AS row_key,
       'setting_id ' || e.id || ' belongs to manuscript ' || e.manuscript_id AS detail
FROM scenes AS s JOIN entities AS e ON e.id = s.setting_id
WHERE e.manuscript_id <> s.manuscript_id
UNION ALL
SELECT 'scenes', s.id, 'setting_id ' || l.id || ' belongs to manuscript ' || l.project_id
FROM scenes AS s JOIN locations AS l ON l.id = s.setting_id
WHERE l.project_id <> s.manuscript_id;
