-- check: snapshot-trigger
-- severity: warn
-- requires: manuscripts.lexical_state snapshots.trigger_type
-- A snapshot is taken by AUTO_SAVE, MANUAL or PRE_GENERATION.
SELECT 'snapshots' AS table_name, t.id AS row_key, 'trigger_type is "' || t.trigger_type || '"' AS detail
FROM snapshots AS t
WHERE t.trigger_type NOT IN ('AUTO_SAVE', 'MANUAL', 'PRE_GENERATION');
