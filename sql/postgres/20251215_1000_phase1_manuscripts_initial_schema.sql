-- Keep each manuscript with the state of its editor, so that its author can close the program and go on later.
-- version: 1.0.0
-- revision: 001_initial

-- Every time in this schema is UTC and without a zone, so that both dialects store the same value; now() alone
-- would be the local time of the session. Ids are UUIDs as text.
CREATE TABLE manuscripts (
    id                 VARCHAR(36)   NOT NULL PRIMARY KEY,
    title              VARCHAR(255)  NOT NULL,
    created_at         TIMESTAMP     DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at         TIMESTAMP     DEFAULT (now() AT TIME ZONE 'UTC'),
    word_count         INTEGER       DEFAULT 0,
    lexical_state      TEXT,         -- JSON object, the state of the Lexical editor
    genre              VARCHAR(100),
    target_word_count  INTEGER
);

-- The list of manuscripts shows the last edited first.
CREATE INDEX idx_manuscripts_updated_at ON manuscripts (updated_at);

-- Its own search_path is empty, so that nobody can put another now() before the real one.
CREATE FUNCTION touch_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = ''
AS $$
BEGIN
    NEW.updated_at := now() AT TIME ZONE 'UTC';
    RETURN NEW;
END;
$$;

-- An update that leaves updated_at as it was gets the time of the update; a time that the writer sets stays.
CREATE TRIGGER manuscripts_touch_updated_at
BEFORE UPDATE ON manuscripts
FOR EACH ROW
WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at)
EXECUTE FUNCTION touch_updated_at();
