-- check: scene-position
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.position
-- No two scenes of a manuscript stand at the same position.
SELECT 'scenes' AS table_name, d.id AS row_key,
       'position ' || d.position || ' of manuscript ' || d.manuscript_id || ' is taken by another scene' AS detail
FROM (
    SELECT s.id, s.manuscript_id, s.position,
           row_number() OVER (PARTITION BY s.manuscript_id, s.position ORDER BY s.id) AS place
    FROM scenes AS s
    WHERE s.manuscript_id IS NOT NULL AND s.position IS NOT NULL
) AS d
WHERE d.place > 1;
