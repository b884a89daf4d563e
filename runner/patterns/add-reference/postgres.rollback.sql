-- Forget which row of {{parent}} a row of {{table}} names.

DROP INDEX {{index}};

ALTER TABLE {{table}} DROP COLUMN {{column}};
