-- check: pattern-range
-- severity: warn
-- requires: manuscripts.lexical_state feedback_patterns.occurrences feedback_patterns.resolution_rate
-- A pattern occurs no negative number of times, and 0 to 100 percent of them were resolved.
SELECT 'feedback_patterns' AS table_name, t.id AS row_key,
       'occurrences is ' || t.occurrences AS detail
FROM feedback_patterns AS t WHERE t.occurrences NOT BETWEEN 0 AND 2147483647
UNION ALL
SELECT 'feedback_patterns', t.id, 'resolution_rate is ' || t.resolution_rate
FROM feedback_patterns AS t WHERE t.resolution_rate NOT BETWEEN 0 AND 100;
