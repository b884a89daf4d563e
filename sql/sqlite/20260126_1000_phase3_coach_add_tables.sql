-- Remember what the coach said and how the author took it, so that its advice fits them better with time.
-- depends: 20260112_1030_phase2a_timeline_add_tables
-- version: 1.3.0
-- revision: 006_add_coach

-- lint-ignore: foreign-key-index the indexes are those of the specification, and parents are rarely deleted

-- Feedback outlives its scene, since the coach learns from it; hence SET NULL.
CREATE TABLE coaching_history (
    id                 VARCHAR(36)   NOT NULL PRIMARY KEY,
    manuscript_id      VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    scene_id           VARCHAR(36)   REFERENCES scenes (id) ON DELETE SET NULL,
    feedback_category  VARCHAR(100),
    severity           VARCHAR(50),
    issue              TEXT,
    suggestion         TEXT,
    teaching_point     TEXT,
    user_reaction      VARCHAR(50),  -- helpful, not_helpful, ignored
    user_applied       BOOLEAN,      -- NULL until the author has reacted
    created_at         DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- One profile for a manuscript.
CREATE TABLE writing_profiles (
    id                    VARCHAR(36)  NOT NULL PRIMARY KEY,
    manuscript_id         VARCHAR(36)  UNIQUE REFERENCES manuscripts (id) ON DELETE CASCADE,
    average_scene_length  INTEGER,     -- words
    preferred_pacing      VARCHAR(50),
    common_patterns       TEXT,        -- JSON array
    improvement_areas     TEXT,        -- JSON array
    learned_preferences   TEXT,        -- JSON object
    updated_at            DATETIME     DEFAULT CURRENT_TIMESTAMP
);

-- What comes back again and again; resolution_rate is the share of the times that the author fixed it.
CREATE TABLE feedback_patterns (
    id               VARCHAR(36)   NOT NULL PRIMARY KEY,
    manuscript_id    VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    pattern_type     VARCHAR(100),
    occurrences      INTEGER       DEFAULT 1,
    first_detected   DATETIME,
    last_detected    DATETIME,
    resolution_rate  REAL
);

CREATE INDEX idx_coaching_manuscript ON coaching_history (manuscript_id, created_at);

CREATE INDEX idx_feedback_patterns_type ON feedback_patterns (pattern_type);
