-- Call {{table}}.{{column}} {{to}}. Say here why.

ALTER TABLE {{table}} RENAME COLUMN {{column}} TO {{to}};
