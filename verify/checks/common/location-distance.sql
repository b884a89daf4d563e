-- check: location-distance
-- severity: error
-- requires: manuscripts.lexical_state locations.travel_distance_km
-- The distance to a location is a number, and not negative.
SELECT 'locations' AS table_name, t.id AS row_key,
       'travel_distance_km is ' || t.travel_distance_km AS detail
FROM locations AS t WHERE t.travel_distance_km NOT BETWEEN 0 AND 1e300;
