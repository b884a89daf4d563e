-- check: distance-places
-- severity: warn
-- requires: manuscripts.lexical_state location_distances.from_location_id location_distances.to_location_id
-- A distance lies between two places.
SELECT 'location_distances' AS table_name, d.id AS row_key, 'from and to ' || d.to_location_id AS detail
FROM location_distances AS d
WHERE d.from_location_id = d.to_location_id;
