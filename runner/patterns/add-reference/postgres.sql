-- Let a row of {{table}} name one of {{parent}}, by {{column}}. Say here why.

ALTER TABLE {{table}} ADD COLUMN {{column}} {{key_type}};

-- The column is empty, so that there is nothing to look at.
ALTER TABLE {{table}}
    ADD CONSTRAINT {{constraint}} FOREIGN KEY ({{column}}) REFERENCES {{parent}} ({{key}});

-- A row of the parent that goes is looked for here.
-- lint-ignore: squawk/require-concurrent-index-creation the table is locked for the column in any case
CREATE INDEX {{index}} ON {{table}} ({{column}});
