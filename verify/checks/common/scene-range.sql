-- check: scene-range
-- severity: error
-- requires: manuscripts.lexical_state scenes.position scenes.word_count
-- The position and the word count of a scene are not negative.
SELECT 'scenes' AS table_name, t.id AS row_key,
       'position is ' || t.position AS detail
FROM scenes AS t WHERE t.position NOT BETWEEN 0 AND 2147483647
UNION ALL
SELECT 'scenes', t.id, 'word_count is ' || t.word_count
FROM scenes AS t WHERE t.word_count NOT BETWEEN 0 AND 2147483647;
