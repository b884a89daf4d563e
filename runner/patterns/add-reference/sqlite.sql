-- Let a row of {{table}} name one of {{parent}}, by {{column}}. Say here why.

ALTER TABLE {{table}} ADD COLUMN {{column}} {{key_type}} CONSTRAINT {{constraint}} REFERENCES {{parent}} ({{key}});

-- A row of the parent that goes is looked for here.
CREATE INDEX {{index}} ON {{table}} ({{column}});
