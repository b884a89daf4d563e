-- check: leg-times
-- severity: error
-- requires: manuscripts.lexical_state travel_legs.depart_date travel_legs.arrival_date
-- A journey does not arrive before it departs.
SELECT 'travel_legs' AS table_name, t.id AS row_key,
       'departs ' || t.depart_date || ', arrives ' || t.arrival_date AS detail
FROM travel_legs AS t
-- As text, a "T" between date and time would come after a space. What is no time to SQLite is not compared.
WHERE julianday(t.arrival_date) < julianday(t.depart_date);
