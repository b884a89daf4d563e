-- check: snapshot-words
-- severity: error
-- requires: manuscripts.lexical_state snapshots.word_count
-- A snapshot has no negative number of words.
SELECT 'snapshots' AS table_name, t.id AS row_key,
       'word_count is ' || t.word_count AS detail
FROM snapshots AS t WHERE t.word_count NOT BETWEEN 0 AND 2147483647;
