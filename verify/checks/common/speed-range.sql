-- check: speed-range
-- severity: error
-- requires: manuscripts.lexical_state travel_speed_profiles.walking travel_speed_profiles.horse
-- requires: travel_speed_profiles.carriage travel_speed_profiles.sailing travel_speed_profiles.flying
-- requires: travel_speed_profiles.teleportation travel_speed_profiles.custom1_speed travel_speed_profiles.custom2_speed
-- A speed is a number, and not negative.
SELECT 'travel_speed_profiles' AS table_name, t.id AS row_key,
       'walking is ' || t.walking AS detail
FROM travel_speed_profiles AS t WHERE t.walking NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'horse is ' || t.horse
FROM travel_speed_profiles AS t WHERE t.horse NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'carriage is ' || t.carriage
FROM travel_speed_profiles AS t WHERE t.carriage NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'sailing is ' || t.sailing
FROM travel_speed_profiles AS t WHERE t.sailing NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'flying is ' || t.flying
FROM travel_speed_profiles AS t WHERE t.flying NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'teleportation is ' || t.teleportation
FROM travel_speed_profiles AS t WHERE t.teleportation NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'custom1_speed is ' || t.custom1_speed
FROM travel_speed_profiles AS t WHERE t.custom1_speed NOT BETWEEN 0 AND 1e300
UNION ALL
SELECT 'travel_speed_profiles', t.id, 'custom2_speed is ' || t.custom2_speed
FROM travel_speed_profiles AS t WHERE t.custom2_speed NOT BETWEEN 0 AND 1e300;
