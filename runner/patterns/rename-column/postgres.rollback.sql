-- Call {{table}}.{{to}} {{column}} again.

ALTER TABLE {{table}} RENAME COLUMN {{to}} TO {{column}};
