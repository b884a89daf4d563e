-- check: pattern-times
-- severity: error
-- requires: manuscripts.lexical_state feedback_patterns.first_detected feedback_patterns.last_detected
-- A pattern is not last detected before it is first detected.
SELECT 'feedback_patterns' AS table_name, t.id AS row_key,
       'first ' || t.first_detected || ', last ' || t.last_detected AS detail
FROM feedback_patterns AS t
WHERE t.last_detected < t.first_detected;
