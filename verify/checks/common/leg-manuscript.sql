-- check: leg-manuscript
-- severity: error
-- requires: manuscripts.lexical_state travel_legs.project_id travel_legs.character_id travel_legs.from_location_id
-- requires: travel_legs.to_location_id locations.project_id entities.manuscript_id
-- A journey, its two ends and whoever travels belong to one manuscript.
SELECT 'travel_legs' AS table_name, t.id AS row_key,
       'from_location_id ' || l.id || ' belongs to manuscript ' || l.project_id AS detail
FROM travel_legs AS t JOIN locations AS l ON l.id = t.from_location_id
WHERE l.project_id <> t.project_id
UNION ALL
SELECT 'travel_legs', t.id, 'to_location_id ' || l.id || ' belongs to manuscript ' || l.project_id
FROM travel_legs AS t JOIN locations AS l ON l.id = t.to_location_id
WHERE l.project_id <> t.project_id
UNION ALL
SELECT 'travel_legs', t.id, 'character_id ' || e.id || ' belongs to manuscript ' || e.manuscript_id
FROM travel_legs AS t JOIN entities AS e ON e.id = t.character_id
WHERE e.manuscript_id <> t.project_id;
