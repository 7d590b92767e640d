-- Rooms that a local user has forgotten, and those whose data is being deleted because all have.
create table room_purges (
  room_nid     bigint primary key,
  requested_ts bigint not null,  -- when the last of them did so
  room_id      bytea unique      -- set: begun. The room has no row in rooms any more.
);

-- In the same commit as the membership, so that no request is lost.
create function request_room_purge() returns trigger language plpgsql as $$
begin
  insert into room_purges as p (room_nid, requested_ts)
    values (new.room_nid, extract(epoch from clock_timestamp()) * 1000)
    on conflict (room_nid) do update set requested_ts = excluded.requested_ts where p.room_id is null;
  return null;
end $$;
create trigger forgotten after insert or update on memberships
  for each row when (new.forgotten) execute function request_room_purge();

insert into room_purges (room_nid, requested_ts)
  select distinct room_nid, extract(epoch from clock_timestamp())::bigint * 1000 from memberships where forgotten;

-- What is found by the number of a room when it goes.
create index events_outliers on events (room_nid) where anchor is null;
create index redactions_redaction on redactions (redaction_nid);
create index account_data_room on account_data (room_nid) where room_nid <> 0;
