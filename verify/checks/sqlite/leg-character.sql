-- check: leg-character
-- severity: error
-- requires: manuscripts.lexical_state travel_legs.character_id entities.id
-- Whoever travels is in the codex.
WITH lost (id) AS MATERIALIZED (
    -- Two sorted lists side by side: to look each id up in an index costs several times as much.
    SELECT t.character_id FROM travel_legs AS t WHERE t.character_id IS NOT NULL
    EXCEPT SELECT e.id FROM entities AS e
    ORDER BY 1
)
SELECT 'travel_legs' AS table_name, t.id AS row_key,
       'character_id ' || t.character_id || ' is not in entities' AS detail
FROM travel_legs AS t NOT INDEXED
WHERE EXISTS (SELECT 1 FROM lost) AND t.character_id IN (SELECT l.id FROM lost AS l);
