-- Let {{table}}.{{column}} name whatever it will again.

{{drops}}CREATE TABLE {{rebuilt}} {{old_body}};

INSERT INTO {{rebuilt}} (
    {{columns}}
)
SELECT
    {{columns}}
FROM {{table}};

-- Foreign keys are off while a migration runs, so no child row goes with it.
DROP TABLE {{table}};

ALTER TABLE {{rebuilt}} RENAME TO {{table}};{{objects}}
