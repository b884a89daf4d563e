-- check: distance-manuscript
-- severity: error
-- requires: manuscripts.lexical_state location_distances.project_id location_distances.from_location_id
-- requires: location_distances.to_location_id locations.project_id
-- A distance and its two ends belong to one manuscript.
SELECT 'location_distances' AS table_name, d.id AS row_key,
       'from_location_id ' || l.id || ' belongs to manuscript ' || l.project_id AS detail
FROM location_distances AS d JOIN locations AS l ON l.id = d.from_location_id
WHERE l.project_id <> d.project_id
UNION ALL
SELECT 'location_distances', d.id, 'to_location_id ' || l.id || ' belongs to manuscript ' || l.project_id
FROM location_distances AS d JOIN locations AS l ON l.id = d.to_location_id
WHERE l.project_id <> d.project_id;
