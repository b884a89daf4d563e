-- check: entity-type
-- severity: error
-- requires: manuscripts.lexical_state entities.type
-- An entity is a CHARACTER, a LOCATION, an ITEM or LORE.
SELECT 'entities' AS table_name, t.id AS row_key, 'type is "' || t.type || '"' AS detail
FROM entities AS t
WHERE t.type NOT IN ('CHARACTER', 'LOCATION', 'ITEM', 'LORE');
