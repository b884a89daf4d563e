-- check: scene-position
-- severity: error
-- requires: manuscripts.lexical_state scenes.manuscript_id scenes.position
-- No two scenes of a manuscript stand at the same position.
WITH taken (manuscript_id, position) AS (
    -- Mostly none: then no scene need be read, the index on both columns tells.
    SELECT s.manuscript_id, s.position FROM scenes AS s
    WHERE s.manuscript_id IS NOT NULL AND s.position IS NOT NULL
    GROUP BY s.manuscript_id, s.position HAVING count(*) > 1
)
SELECT 'scenes' AS table_name, d.id AS row_key,
       'position ' || d.position || ' of manuscript ' || d.manuscript_id || ' is taken by another scene' AS detail
FROM (
    SELECT s.id, s.manuscript_id, s.position,
           row_number() OVER (PARTITION BY s.manuscript_id, s.position ORDER BY s.id) AS place
    FROM taken AS t JOIN scenes AS s ON s.manuscript_id = t.manuscript_id AND s.position = t.position
) AS d
WHERE d.place > 1;
