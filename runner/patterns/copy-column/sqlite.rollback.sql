-- Take {{to}} away from {{table}} again, of which it was a copy.

-- What was written to the new column alone goes back to the old one.
UPDATE {{table}} SET {{column}} = {{to}} WHERE {{to}} IS NOT NULL AND {{column}} IS NULL;

ALTER TABLE {{table}} DROP COLUMN {{to}};
