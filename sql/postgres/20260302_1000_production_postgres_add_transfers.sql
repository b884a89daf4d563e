-- Go into production on PostgreSQL, and keep on record what was copied there from SQLite and how it was proven.
-- depends: 20260126_1000_phase3_coach_add_tables
-- version: 2.0.0
-- revision: 007_sqlite_to_postgres
-- dialects: postgres

-- One row for each transfer. The first one makes this table by itself where it is not there yet, hence IF NOT EXISTS;
-- the program writes the row in the transaction of the copy, and shows it in its history.
CREATE TABLE IF NOT EXISTS _maxwell_transfer (
    id              VARCHAR(36)   NOT NULL PRIMARY KEY,
    source          TEXT          NOT NULL,  -- the URL of the SQLite file
    source_version  VARCHAR(50),             -- its schema version, and the newest migration that both sides have
    migration_id    VARCHAR(255),
    started_at_utc  TIMESTAMP     NOT NULL,
    finished_at_utc TIMESTAMP     NOT NULL,
    total_rows      BIGINT        NOT NULL,
    checksum        VARCHAR(64)   NOT NULL,  -- of all tables together
    tables          TEXT          NOT NULL,  -- JSON object, rows and checksums by table and column
    mapped          TEXT          NOT NULL,  -- JSON array of what was settled, and how
    map_text        TEXT,                    -- the file that said so, word for word
    username        VARCHAR(255),
    hostname        VARCHAR(255),
    tool_version    VARCHAR(50),
    verify          VARCHAR(10)              -- passed; NULL, not verified
);

-- Its owner's, and to be read by whoever reads the rest of the bookkeeping; also where default privileges open new tables
-- to an application.
DO $$
DECLARE
    other    text;
    may_read boolean;
BEGIN
    FOR other, may_read IN
        SELECT DISTINCT
            CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
            coalesce(has_table_privilege(CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee) END,
                                         to_regclass('_yoyo_migration'), 'SELECT'), false)
        FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
        WHERE c.oid = '_maxwell_transfer'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE 'REVOKE '
            || CASE WHEN may_read THEN 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER' ELSE 'ALL' END
            || ' ON _maxwell_transfer FROM ' || other;
    END LOOP;
END;
$$;
