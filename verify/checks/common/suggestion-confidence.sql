-- check: suggestion-confidence
-- severity: error
-- requires: manuscripts.lexical_state entity_suggestions.confidence
-- The confidence of a suggestion lies between 0 and 1.
SELECT 'entity_suggestions' AS table_name, t.id AS row_key,
       'confidence is ' || t.confidence AS detail
FROM entity_suggestions AS t WHERE t.confidence NOT BETWEEN 0 AND 1;
