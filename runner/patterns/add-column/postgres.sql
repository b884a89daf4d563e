-- Add {{column}} to {{table}}; the rows that are there get {{default}}, and new ones say it themselves. Say here why.

-- With a default no row is written anew; without it afterwards, as on SQLite.
ALTER TABLE {{table}} ADD COLUMN {{column}} {{type}} DEFAULT {{default}};

-- lint-ignore: squawk/ban-drop-default the default is there for this file alone
ALTER TABLE {{table}} ALTER COLUMN {{column}} DROP DEFAULT;
