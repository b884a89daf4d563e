-- Place what happens in time and space, so that a journey too fast or an effect before its cause comes to light.
-- depends: 20260105_0900_phase2_codex_add_entities
-- version: 1.2.0
-- revision: 005_add_timeline

-- lint-ignore: foreign-key-index the indexes are those of the specification, and parents are rarely deleted

-- Here and below, a project is a manuscript. No foreign key can reach into a JSON array, and none holds character_id
-- and affected_character_id, so that the codex can be rebuilt under a timeline; verify checks these references.

CREATE TABLE locations (
    id                    VARCHAR(36)   NOT NULL PRIMARY KEY,
    project_id            VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    name                  VARCHAR(255)  NOT NULL,
    description           TEXT,
    travel_distance_km    REAL,
    known_travel_methods  TEXT,         -- JSON array
    created_at            DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at            DATETIME      DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE timeline_events (
    id                    VARCHAR(36)   NOT NULL PRIMARY KEY,
    project_id            VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    name                  VARCHAR(500)  NOT NULL,
    description           TEXT,
    story_date            DATETIME,     -- in the time of the story, not in ours
    position              REAL,         -- in the manuscript, from 0 to 1
    event_type            VARCHAR(100),
    character_ids         TEXT,         -- JSON array of entities.id
    location_id           VARCHAR(36)   REFERENCES locations (id),
    prerequisite_ids      TEXT,         -- JSON array of timeline_events.id
    narrative_importance  REAL          DEFAULT 0.5,
    notes                 TEXT,
    created_at            DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at            DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- One journey of one character, in story time.
CREATE TABLE travel_legs (
    id                VARCHAR(36)   NOT NULL PRIMARY KEY,
    project_id        VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    character_id      VARCHAR(36)   NOT NULL,  -- an entities.id
    from_location_id  VARCHAR(36)   REFERENCES locations (id),
    to_location_id    VARCHAR(36)   REFERENCES locations (id),
    depart_date       DATETIME      NOT NULL,
    arrival_date      DATETIME,
    travel_method     VARCHAR(100),
    estimated_days    INTEGER,
    notes             TEXT,
    created_at        DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at        DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- What the orchestrator found wrong, with advice to the author.
CREATE TABLE timeline_issues (
    id                     VARCHAR(36)   NOT NULL PRIMARY KEY,
    project_id             VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    issue_type             VARCHAR(100)  NOT NULL,
    severity               VARCHAR(50)   NOT NULL,
    affected_event_ids     TEXT,         -- JSON array of timeline_events.id
    affected_character_id  VARCHAR(36),  -- an entities.id
    description            TEXT          NOT NULL,
    suggestion             TEXT          NOT NULL,
    teaching_point         TEXT,
    is_resolved            BOOLEAN       DEFAULT FALSE,
    resolution_notes       TEXT,
    created_at             DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at             DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- How far one travels in a day, in km; one profile for a manuscript.
CREATE TABLE travel_speed_profiles (
    id             VARCHAR(36)   NOT NULL PRIMARY KEY,
    project_id     VARCHAR(36)   UNIQUE REFERENCES manuscripts (id) ON DELETE CASCADE,
    walking        REAL          DEFAULT 40,
    horse          REAL          DEFAULT 80,
    carriage       REAL          DEFAULT 60,
    sailing        REAL          DEFAULT 150,
    flying         REAL          DEFAULT 200,
    teleportation  REAL          DEFAULT 999999,  -- any distance within a day
    custom1_name   VARCHAR(100),
    custom1_speed  REAL,
    custom2_name   VARCHAR(100),
    custom2_speed  REAL,
    rules          TEXT,
    created_at     DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at     DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- A row for each direction, since the way up a river may be the longer one.
CREATE TABLE location_distances (
    id                VARCHAR(36)  NOT NULL PRIMARY KEY,
    project_id        VARCHAR(36)  REFERENCES manuscripts (id) ON DELETE CASCADE,
    from_location_id  VARCHAR(36)  REFERENCES locations (id),
    to_location_id    VARCHAR(36)  REFERENCES locations (id),
    distance_km       REAL         NOT NULL,
    notes             TEXT,
    created_at        DATETIME     DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT uq_location_distance UNIQUE (project_id, from_location_id, to_location_id)
);

CREATE INDEX idx_timeline_events_project ON timeline_events (project_id);

CREATE INDEX idx_timeline_events_story_date ON timeline_events (story_date);

CREATE INDEX idx_travel_legs_character ON travel_legs (character_id);

-- The open issues of one severity.
CREATE INDEX idx_timeline_issues_severity ON timeline_issues (severity, is_resolved);
