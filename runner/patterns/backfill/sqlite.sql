-- Fill {{table}}.{{column}} where it is empty. Say here why.

-- In one go: SQLite has one writer at a time, and batches in one transaction would gain nothing.
UPDATE {{table}} SET {{column}} = {{default}} WHERE {{column}} IS NULL;
