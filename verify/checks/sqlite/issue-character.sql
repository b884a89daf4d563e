-- check: issue-character
-- severity: error
-- requires: manuscripts.lexical_state timeline_issues.affected_character_id entities.id
-- The character that an issue affects is in the codex.
WITH lost (id) AS MATERIALIZED (
    -- Two sorted lists side by side: to look each id up in an index costs several times as much.
    SELECT i.affected_character_id FROM timeline_issues AS i WHERE i.affected_character_id IS NOT NULL
    EXCEPT SELECT e.id FROM entities AS e
    ORDER BY 1
)
SELECT 'timeline_issues' AS table_name, i.id AS row_key,
       'affected_character_id ' || i.affected_character_id || ' is not in entities' AS detail
FROM timeline_issues AS i
WHERE EXISTS (SELECT 1 FROM lost) AND i.affected_character_id IN (SELECT l.id FROM lost AS l);
