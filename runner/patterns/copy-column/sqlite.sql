-- Copy {{table}}.{{column}} to {{to}}, so that old code and new code can run at one time. Say here why.

-- {{column}} stays until nobody reads it any more; a later migration drops it.
ALTER TABLE {{table}} ADD COLUMN {{to}} {{type}};

UPDATE {{table}} SET {{to}} = {{column}} WHERE {{column}} IS NOT NULL;
