-- check: leg-places
-- severity: warn
-- requires: manuscripts.lexical_state travel_legs.from_location_id travel_legs.to_location_id
-- A journey leads from one place to another.
SELECT 'travel_legs' AS table_name, t.id AS row_key, 'from and to ' || t.to_location_id AS detail
FROM travel_legs AS t
WHERE t.from_location_id = t.to_location_id;
