-- check: snapshot-commit
-- severity: error
-- requires: manuscripts.lexical_state snapshots.git_commit_hash
-- The commit of a snapshot is a full SHA-1: 40 hex digits.
SELECT 'snapshots' AS table_name, s.id AS row_key, 'git_commit_hash is "' || s.git_commit_hash || '"' AS detail
FROM snapshots AS s
WHERE length(s.git_commit_hash) <> 40 OR s.git_commit_hash GLOB '*[^0-9a-fA-F]*';
