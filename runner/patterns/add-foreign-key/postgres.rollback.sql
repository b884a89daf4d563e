-- Let {{table}}.{{column}} name whatever it will again.

ALTER TABLE {{table}} DROP CONSTRAINT {{constraint}};{{index_last}}
