-- check: scene-setting
-- severity: warn
-- requires: manuscripts.lexical_state scenes.setting_id entities.id locations.id
-- The setting of a scene is an entity or a location (a warning: scenes may be older than both).
SELECT 'scenes' AS table_name, s.id AS row_key,
       'setting_id ' || s.setting_id || ' is neither in entities nor in locations' AS detail
FROM scenes AS s
WHERE s.setting_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM entities AS e WHERE e.id = s.setting_id)
  AND NOT EXISTS (SELECT 1 FROM locations AS l WHERE l.id = s.setting_id);
