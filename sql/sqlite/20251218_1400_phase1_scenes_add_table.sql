-- Divide a manuscript into scenes, the unit in which it is written, ordered and counted.
-- depends: 20251215_1000_phase1_manuscripts_initial_schema
-- version: 1.0.1
-- revision: 002_add_scenes

CREATE TABLE scenes (
    id                VARCHAR(36)  NOT NULL PRIMARY KEY,
    manuscript_id     VARCHAR(36)  REFERENCES manuscripts (id) ON DELETE CASCADE,
    position          INTEGER      NOT NULL,  -- order within the manuscript
    content           TEXT,
    word_count        INTEGER      DEFAULT 0,
    pov_character_id  VARCHAR(36), -- who tells the scene; no foreign key, the codex comes with 1.1.0
    setting_id        VARCHAR(36), -- where it plays; no foreign key, for the same reason
    created_at        DATETIME     DEFAULT CURRENT_TIMESTAMP,
    updated_at        DATETIME     DEFAULT CURRENT_TIMESTAMP
);

-- The scenes of one manuscript, in reading order.
CREATE INDEX idx_scenes_manuscript ON scenes (manuscript_id, position);
