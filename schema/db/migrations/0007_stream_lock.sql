-- The stream is locked by locking its row, which a batch changes anyway: one lock for all, and none to be taken besides.
create or replace function lock_stream() returns void language sql volatile as $$
  select from stream for update
$$;
