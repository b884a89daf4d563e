-- check: issue-character
-- severity: error
-- requires: manuscripts.lexical_state timeline_issues.affected_character_id entities.id
-- The character that an issue affects is in the codex.
SELECT 'timeline_issues' AS table_name, i.id AS row_key,
       'affected_character_id ' || i.affected_character_id || ' is not in entities' AS detail
FROM timeline_issues AS i
WHERE i.affected_character_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM entities AS e WHERE e.id = i.affected_character_id);
