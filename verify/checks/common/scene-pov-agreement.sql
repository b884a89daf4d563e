-- check: scene-pov-agreement
-- severity: error
-- requires: manuscripts.lexical_state scenes.pov_character_id scenes.pov_character_fk
-- Where a scene names its point-of-view character twice, both name the same.
SELECT 'scenes' AS table_name, s.id AS row_key,
       'pov_character_id ' || s.pov_character_id || ', pov_character_fk ' || s.pov_character_fk AS detail
FROM scenes AS s
WHERE s.pov_character_id <> s.pov_character_fk;
