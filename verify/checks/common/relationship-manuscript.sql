-- check: relationship-manuscript
-- severity: error
-- requires: manuscripts.lexical_state relationships.source_entity_id relationships.target_entity_id
-- requires: entities.manuscript_id
-- Both ends of a relationship belong to one manuscript.
SELECT 'relationships' AS table_name, r.id AS row_key,
       'from manuscript ' || s.manuscript_id || ' to manuscript ' || t.manuscript_id AS detail
FROM relationships AS r
JOIN entities AS s ON s.id = r.source_entity_id
JOIN entities AS t ON t.id = r.target_entity_id
WHERE s.manuscript_id <> t.manuscript_id;
