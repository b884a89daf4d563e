-- Keep {{table}}. Say here why.

CREATE TABLE {{table}} (
    id          VARCHAR(36)   NOT NULL PRIMARY KEY,
    name        VARCHAR(255)  NOT NULL,
    notes       TEXT,
    created_at  DATETIME      DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX {{index}} ON {{table}} (name);
