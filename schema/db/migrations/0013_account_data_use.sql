-- What a user's account data takes, in bytes: counted by a trigger, whoever writes it, and refused in the same commit where it
-- grows beyond the bound. What is stored already stays, and may be made smaller. A marker of what was read is counted but never
-- refused: there is one in a room, and it has the size of an event ID.
create function account_data_bytes(type bytea, content bytea) returns bigint language sql immutable as $$
  select 256::bigint + octet_length(type) + octet_length(content)
$$;

-- What a user may store, as the server that runs has it configured; no row: no bound.
create table account_data_bound (
  only_row boolean primary key default true check (only_row),
  bytes    bigint not null
);

create table account_data_use (
  user_nid bigint primary key,
  bytes    bigint not null
);
insert into account_data_use (user_nid, bytes)
  select user_nid, sum(account_data_bytes(type, content)) from account_data group by user_nid;

create function count_account_data() returns trigger language plpgsql as $$
declare
  change bigint := 0;
  total bigint;
begin
  if tg_op <> 'DELETE' then
    change := change + account_data_bytes(new.type, new.content);
  end if;
  if tg_op <> 'INSERT' then
    change := change - account_data_bytes(old.type, old.content);
  end if;
  if change = 0 then
    return null;
  end if;
  insert into account_data_use as u (user_nid, bytes) values (coalesce(new.user_nid, old.user_nid), change)
    on conflict (user_nid) do update set bytes = u.bytes + excluded.bytes
    returning u.bytes into total;
  if change > 0 and new.type <> 'm.fully_read' and total > (select bytes from account_data_bound) then
    raise exception 'a user''s account data would take % bytes', total using errcode = 'CW004';
  end if;
  return null;
end $$;
create trigger count_account_data after insert or update or delete on account_data
  for each row execute function count_account_data();
