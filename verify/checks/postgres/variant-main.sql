-- check: variant-main
-- severity: error
-- requires: manuscripts.lexical_state variants.scene_id variants.is_main
-- A scene has one main variant at most.
SELECT 'variants' AS table_name, d.id AS row_key, 'scene ' || d.scene_id || ' has another main variant' AS detail
FROM (
    SELECT v.id, v.scene_id, row_number() OVER (PARTITION BY v.scene_id ORDER BY v.id) AS place
    FROM variants AS v
    WHERE v.is_main AND v.scene_id IS NOT NULL
) AS d
WHERE d.place > 1;
