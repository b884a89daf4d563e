-- Call {{table}}.{{column}} {{to}}. Say here why.

-- lint-ignore: squawk/renaming-column code that knows the new name is deployed together with this
ALTER TABLE {{table}} RENAME COLUMN {{column}} TO {{to}};
