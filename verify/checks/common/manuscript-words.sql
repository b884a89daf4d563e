-- check: manuscript-words
-- severity: error
-- requires: manuscripts.lexical_state manuscripts.word_count manuscripts.target_word_count
-- A manuscript has, and aims at, no negative number of words.
SELECT 'manuscripts' AS table_name, t.id AS row_key,
       'word_count is ' || t.word_count AS detail
FROM manuscripts AS t WHERE t.word_count NOT BETWEEN 0 AND 2147483647
UNION ALL
SELECT 'manuscripts', t.id, 'target_word_count is ' || t.target_word_count
FROM manuscripts AS t WHERE t.target_word_count NOT BETWEEN 0 AND 2147483647;
