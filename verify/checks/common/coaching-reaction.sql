-- check: coaching-reaction
-- severity: warn
-- requires: manuscripts.lexical_state coaching_history.user_reaction
-- The author found advice helpful or not_helpful, or ignored it.
SELECT 'coaching_history' AS table_name, t.id AS row_key, 'user_reaction is "' || t.user_reaction || '"' AS detail
FROM coaching_history AS t
WHERE t.user_reaction NOT IN ('helpful', 'not_helpful', 'ignored');
