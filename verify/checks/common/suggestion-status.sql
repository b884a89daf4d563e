-- check: suggestion-status
-- severity: error
-- requires: manuscripts.lexical_state entity_suggestions.status
-- A suggested entity is PENDING, APPROVED or REJECTED.
SELECT 'entity_suggestions' AS table_name, t.id AS row_key, 'status is "' || t.status || '"' AS detail
FROM entity_suggestions AS t
WHERE t.status NOT IN ('PENDING', 'APPROVED', 'REJECTED');
