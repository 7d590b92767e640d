-- Positions that were handed out for what is no more, because the database was put back to a backup: those after `after`, up to
-- `until`. Whoever comes with one knows things that did not happen.
create table lost_spans (
  until bigint primary key,
  after bigint not null
);

-- The end of a restore. New positions begin above any that was ever handed out, by this life of the database or by a lost one:
-- a position is one durable write, and there are fewer than 1024 of them in a millisecond.
create function begin_new_life() returns void language plpgsql volatile as $$
declare
  ended_at bigint;
  begins_after bigint;
begin
  perform lock_stream();
  select position into ended_at from stream;
  begins_after := greatest(ended_at + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint * 1024);
  insert into lost_spans (until, after) values (begins_after, ended_at);
  update stream set position = begins_after, generation = generation + 1;
end $$;
