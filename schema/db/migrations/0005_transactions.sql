-- Rows older than a day are deleted by walking the table, as new ones fill the places of deleted ones: an index by age would
-- find nothing faster, and each send would have to write it.
drop index transactions_age;
