-- Fill {{table}}.{{column}} where it is empty, in batches that each commit. Say here why.
-- transactional: false

-- Nobody waits for longer than a batch takes. If it dies, what was filled stays, and the rest is filled when it is run
-- again.
DO $$
DECLARE
    filled INTEGER;
BEGIN
    LOOP
        UPDATE {{table}} SET {{column}} = {{default}}
        WHERE ctid IN (
            SELECT ctid FROM {{table}} WHERE {{column}} IS NULL LIMIT 1000 FOR UPDATE SKIP LOCKED
        );
        GET DIAGNOSTICS filled = ROW_COUNT;
        COMMIT;
        EXIT WHEN filled = 0 AND NOT EXISTS (SELECT FROM {{table}} WHERE {{column}} IS NULL);
        IF filled = 0 THEN
            PERFORM pg_sleep(0.1);  -- what is left is locked by others
        END IF;
    END LOOP;
END
$$;
