-- Keep the history of a manuscript and rival drafts of a scene, so that nothing an author tries out is lost.
-- depends: 20251218_1400_phase1_scenes_add_table
-- version: 1.0.2
-- revision: 003_add_versioning

-- One commit of the manuscript's Git repository, which holds the text itself.
CREATE TABLE snapshots (
    id               VARCHAR(36)   NOT NULL PRIMARY KEY,
    manuscript_id    VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    git_commit_hash  VARCHAR(40)   NOT NULL,  -- SHA-1, 40 hex digits
    label            VARCHAR(255),
    trigger_type     VARCHAR(50),  -- AUTO_SAVE, MANUAL, PRE_GENERATION
    word_count       INTEGER,
    created_at       TIMESTAMP     DEFAULT (now() AT TIME ZONE 'UTC')
);

-- The multiverse, other ways in which a scene could be told.
CREATE TABLE variants (
    id          VARCHAR(36)   NOT NULL PRIMARY KEY,
    scene_id    VARCHAR(36)   REFERENCES scenes (id) ON DELETE CASCADE,
    label       VARCHAR(255)  NOT NULL,
    content     TEXT,
    is_main     BOOLEAN       DEFAULT FALSE,  -- the one that the manuscript shows
    created_at  TIMESTAMP     DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE INDEX idx_snapshots_manuscript_date ON snapshots (manuscript_id, created_at);

CREATE INDEX idx_variants_scene ON variants (scene_id);
