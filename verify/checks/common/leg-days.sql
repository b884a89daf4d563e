-- check: leg-days
-- severity: error
-- requires: manuscripts.lexical_state travel_legs.estimated_days
-- A journey takes no negative number of days.
SELECT 'travel_legs' AS table_name, t.id AS row_key,
       'estimated_days is ' || t.estimated_days AS detail
FROM travel_legs AS t WHERE t.estimated_days NOT BETWEEN 0 AND 2147483647;
