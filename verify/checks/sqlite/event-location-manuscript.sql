-- check: event-location-manuscript
-- severity: error
-- requires: manuscripts.lexical_state timeline_events.project_id timeline_events.location_id locations.project_id
-- An event and its location belong to one manuscript.
WITH apart (id, project_id) AS MATERIALIZED (
    -- Sorted lists of pairs side by side: to look each id up costs several times as much. What is left over belongs to
    -- another manuscript, or is nowhere, which is for another check to say.
    SELECT v.location_id, v.project_id FROM timeline_events AS v NOT INDEXED
    WHERE v.location_id IS NOT NULL AND v.project_id IS NOT NULL
    EXCEPT SELECT l.id, l.project_id FROM locations AS l NOT INDEXED
    ORDER BY 1, 2
)
SELECT 'timeline_events' AS table_name, v.id AS row_key,
       'location_id ' || l.id || ' belongs to manuscript ' || l.project_id AS detail
FROM timeline_events AS v NOT INDEXED JOIN locations AS l ON l.id = v.location_id
WHERE EXISTS (SELECT 1 FROM apart)
  AND (v.location_id, v.project_id) IN (SELECT a.id, a.project_id FROM apart AS a)
  AND l.project_id <> v.project_id;
