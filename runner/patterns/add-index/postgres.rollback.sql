-- Take the index on {{table}}.{{column}} away again.

DROP INDEX CONCURRENTLY {{index}};
