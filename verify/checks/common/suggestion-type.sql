-- check: suggestion-type
-- severity: warn
-- requires: manuscripts.lexical_state entity_suggestions.suggested_type
-- A suggested entity is a CHARACTER, a LOCATION, an ITEM or LORE.
SELECT 'entity_suggestions' AS table_name, t.id AS row_key, 'suggested_type is "' || t.suggested_type || '"' AS detail
FROM entity_suggestions AS t
WHERE t.suggested_type NOT IN ('CHARACTER', 'LOCATION', 'ITEM', 'LORE');
