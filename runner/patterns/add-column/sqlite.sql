-- Add {{column}} to {{table}}; the rows that are there get {{default}}, and new ones say it themselves. Say here why.

ALTER TABLE {{table}} ADD COLUMN {{column}} {{type}};

UPDATE {{table}} SET {{column}} = {{default}} WHERE {{column}} IS NULL;
