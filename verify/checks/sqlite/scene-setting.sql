-- check: scene-setting
-- severity: warn
-- requires: manuscripts.lexical_state scenes.setting_id entities.id locations.id
-- The setting of a scene is an entity or a location (a warning: scenes may be older than both).
WITH lost (id) AS MATERIALIZED (
    -- Sorted lists side by side: to look each id up in two indexes costs several times as much.
    SELECT s.setting_id FROM scenes AS s WHERE s.setting_id IS NOT NULL
    EXCEPT SELECT e.id FROM entities AS e
    EXCEPT SELECT l.id FROM locations AS l
    ORDER BY 1
)
SELECT 'scenes' AS table_name, s.id AS row_key,
       'setting_id ' || s.setting_id || ' is neither in entities nor in locations' AS detail
FROM scenes AS s
WHERE EXISTS (SELECT 1 FROM lost) AND s.setting_id IN (SELECT l.id FROM lost AS l);
