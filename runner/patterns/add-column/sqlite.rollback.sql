-- Take {{column}} away from {{table}} again.

ALTER TABLE {{table}} DROP COLUMN {{column}};
