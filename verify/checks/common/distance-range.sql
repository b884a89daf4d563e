-- check: distance-range
-- severity: error
-- requires: manuscripts.lexical_state location_distances.distance_km
-- A distance is a number, and not negative.
SELECT 'location_distances' AS table_name, t.id AS row_key,
       'distance_km is ' || t.distance_km AS detail
FROM location_distances AS t WHERE t.distance_km NOT BETWEEN 0 AND 1e300;
