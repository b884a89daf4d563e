-- Keep each manuscript with the state of its editor, so that its author can close the program and go on later.
-- version: 1.0.0
-- revision: 001_initial

-- Every time in this schema is UTC and without a zone, so that both dialects store the same value; CURRENT_TIMESTAMP
-- is UTC already. Ids are UUIDs as text. A primary key says NOT NULL, because SQLite lets NULL into it otherwise.
CREATE TABLE manuscripts (
    id                 VARCHAR(36)   NOT NULL PRIMARY KEY,
    title              VARCHAR(255)  NOT NULL,
    created_at         DATETIME      DEFAULT CURRENT_TIMESTAMP,
    updated_at         DATETIME      DEFAULT CURRENT_TIMESTAMP,
    word_count         INTEGER       DEFAULT 0,
    lexical_state      TEXT,         -- JSON object, the state of the Lexical editor
    genre              VARCHAR(100),
    target_word_count  INTEGER
);

-- The list of manuscripts shows the last edited first.
CREATE INDEX idx_manuscripts_updated_at ON manuscripts (updated_at);

-- An update that leaves updated_at as it was gets the time of the update; a time that the writer sets stays.
-- The second condition ends the recursion where recursive_triggers is on. No list of columns (UPDATE OF), so that
-- a column added later counts too.
CREATE TRIGGER manuscripts_touch_updated_at
AFTER UPDATE ON manuscripts
WHEN NEW.updated_at IS OLD.updated_at AND NEW.updated_at IS NOT CURRENT_TIMESTAMP
BEGIN
    UPDATE manuscripts SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id;
END;
