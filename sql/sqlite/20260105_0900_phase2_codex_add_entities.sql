-- Know the people, places and things of a story and how they are tied, so that contradictions can be found.
-- depends: 20251222_1000_phase1_versioning_add_snapshots
-- version: 1.1.0
-- revision: 004_add_codex

-- lint-ignore: foreign-key-index the indexes are those of the specification, and parents are rarely deleted

CREATE TABLE entities (
    id                  VARCHAR(36)   NOT NULL PRIMARY KEY,
    manuscript_id       VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    type                VARCHAR(50)   NOT NULL,  -- CHARACTER, LOCATION, ITEM, LORE
    name                VARCHAR(255)  NOT NULL,
    aliases             TEXT,         -- JSON array of names
    attributes          TEXT,         -- JSON object
    appearance_history  TEXT,         -- JSON array
    image_seed          INTEGER,      -- the same seed draws the same portrait
    created_at          DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at          DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- An edge of the graph, read from source to target.
CREATE TABLE relationships (
    id                 VARCHAR(36)   NOT NULL PRIMARY KEY,
    source_entity_id   VARCHAR(36)   REFERENCES entities (id) ON DELETE CASCADE,
    target_entity_id   VARCHAR(36)   REFERENCES entities (id) ON DELETE CASCADE,
    relationship_type  VARCHAR(100),
    strength           INTEGER       DEFAULT 1,
    context            TEXT,         -- JSON array, where the text shows it
    created_at         DATETIME      DEFAULT CURRENT_TIMESTAMP
);

-- What the language analysis takes for an entity, until the author has decided.
CREATE TABLE entity_suggestions (
    id              VARCHAR(36)   NOT NULL PRIMARY KEY,
    manuscript_id   VARCHAR(36)   REFERENCES manuscripts (id) ON DELETE CASCADE,
    scene_id        VARCHAR(36)   REFERENCES scenes (id) ON DELETE CASCADE,
    suggested_name  VARCHAR(255),
    suggested_type  VARCHAR(50),  -- one of entities.type
    confidence      REAL,         -- 0 to 1
    status          VARCHAR(50)   DEFAULT 'PENDING',  -- PENDING, APPROVED, REJECTED
    created_at      DATETIME      DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX idx_entities_manuscript ON entities (manuscript_id);

CREATE INDEX idx_entities_type ON entities (type);

CREATE INDEX idx_relationships_source ON relationships (source_entity_id);

CREATE INDEX idx_relationships_target ON relationships (target_entity_id);

-- The narrator of a scene can be enforced now. A new column, because pov_character_id may hold ids from before
-- there were entities, and because SQLite cannot add a foreign key to a column that exists.
ALTER TABLE scenes
    ADD COLUMN pov_character_fk VARCHAR(36) CONSTRAINT fk_scenes_pov_character REFERENCES entities (id);
