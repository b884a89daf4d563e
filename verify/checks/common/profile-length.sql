-- check: profile-length
-- severity: warn
-- requires: manuscripts.lexical_state writing_profiles.average_scene_length
-- The average scene has no negative length.
SELECT 'writing_profiles' AS table_name, t.id AS row_key,
       'average_scene_length is ' || t.average_scene_length AS detail
FROM writing_profiles AS t WHERE t.average_scene_length NOT BETWEEN 0 AND 2147483647;
