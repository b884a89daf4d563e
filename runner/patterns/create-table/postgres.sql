-- Keep {{table}}. Say here why.

CREATE TABLE {{table}} (
    id          VARCHAR(36)   NOT NULL PRIMARY KEY,
    name        VARCHAR(255)  NOT NULL,
    notes       TEXT,
    created_at  TIMESTAMP     DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE INDEX {{index}} ON {{table}} (name);
