-- Let {{table}}.{{column}} name a row of {{parent}} that is there. Say here why.

{{index_first}}ALTER TABLE {{table}}
    ADD CONSTRAINT {{constraint}} FOREIGN KEY ({{column}}) REFERENCES {{parent}} ({{key}}) NOT VALID;

-- lint-ignore: squawk/constraint-missing-not-valid of a large table, give this a migration of its own
ALTER TABLE {{table}} VALIDATE CONSTRAINT {{constraint}};
