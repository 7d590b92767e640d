-- What a batch writes: one function for each table, instead of one for all. A batch calls those that it has rows for, one inside the
-- other (schema/db/write_batch.cpp), so that they run in a fixed order: each gets the last position before the batch first, and
-- returns it. `..._offsets` count from that position; 1 is the batch's first. Arrays of one function are columns of one table.
-- Flattened arrays (auth events, extremities) come with the first and the last index of each row's part.
-- SQLSTATEs of their own: CW002 a transaction identifier that was used, CW003 an alias that is taken.

drop function write_batch(
  bigint, bigint, bigint[], bytea[], bytea[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bigint[], bigint[],
  bytea[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[],
  bigint[], bigint[], bigint[], bytea[], bigint[], bytea[], bigint[], bigint[], bytea[], bytea[], bigint[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bytea[], bytea[], bytea[], bigint[], bigint[],
  bigint[], bigint[], bytea[], bytea[], bigint[]);
drop function move_aliases(bigint[], bigint[]);

create function write_rooms(
  before bigint, nids bigint[], ids bytea[], versions bytea[], residents bigint[], created_tss bigint[]
) returns bigint language plpgsql volatile as $$
begin
  insert into rooms (room_nid, room_id, version, resident, created_ts)
    select n.nid, n.id, convert_from(n.version, 'UTF8'), n.resident <> 0, n.created_ts
    from unnest(nids, ids, versions, residents, created_tss) n(nid, id, version, resident, created_ts);
  return before;
end $$;

create function write_events(
  before bigint, nids bigint[], rooms bigint[], senders bigint[], keys bigint[], offsets bigint[], anchors bigint[],
  subs bigint[], lines bigint[], versions bigint[], after_lines bigint[], after_versions bigint[], all_flags bigint[],
  ids bytea[], auth_firsts bigint[], auth_lasts bigint[], auth_orders bigint[], jsons bytea[], auths bigint[]
) returns bigint language plpgsql volatile as $$
declare
  written bigint;
begin
  insert into events (event_nid, room_nid, sender_nid, state_key_nid, anchor, sub, state_line, state_version, after_line,
                      after_version, flags, event_id, auth_nids, auth_order, json)
    select n.nid, n.room, n.sender, n.key, coalesce(before + n.place, n.anchor), n.sub, n.line, n.version, n.after_line,
           n.after_version, n.flags, n.id,
           case when n.auth_first is not null then auths[n.auth_first:n.auth_last] end, n.auth_order, n.json
    from unnest(nids, rooms, senders, keys, offsets, anchors, subs, lines, versions, after_lines, after_versions, all_flags,
                ids, auth_firsts, auth_lasts, auth_orders, jsons)
      n(nid, room, sender, key, place, anchor, sub, line, version, after_line, after_version, flags, id, auth_first,
        auth_last, auth_order, json)
    -- An outlier that gets its place in the timeline after all, or that can be judged now.
    on conflict (event_nid) do update
      set anchor = excluded.anchor, sub = excluded.sub, state_line = excluded.state_line,
          state_version = excluded.state_version, after_line = excluded.after_line,
          after_version = excluded.after_version, flags = excluded.flags, auth_nids = excluded.auth_nids,
          auth_order = excluded.auth_order, json = excluded.json
      where events.anchor is null;
  get diagnostics written = row_count;
  if written <> cardinality(nids) then
    raise exception 'the number of an event is taken' using errcode = 'unique_violation';
  end if;
  return before;
end $$;

create function write_heads(
  before bigint, rooms bigint[], versions bigint[], next_lines bigint[], residents bigint[], firsts bigint[],
  lasts bigint[], all_extremities bigint[]
) returns bigint language plpgsql volatile as $$
begin
  update rooms r
    set state_version = n.version, next_line = n.next_line, resident = n.resident <> 0,
        extremities = all_extremities[n.first:n.last]
    from unnest(rooms, versions, next_lines, residents, firsts, lasts) n(room, version, next_line, resident, first, last)
    where r.room_nid = n.room;
  return before;
end $$;

create function write_transactions(before bigint, devices bigint[], keys bytea[], events bigint[])
returns bigint language plpgsql volatile as $$
declare
  written bigint;
begin
  insert into transactions (device_nid, key, event_nid, created_ts)
    select n.device, encode(n.key, 'hex')::uuid, n.event, extract(epoch from clock_timestamp()) * 1000
    from unnest(devices, keys, events) n(device, key, event)
    on conflict do nothing;
  get diagnostics written = row_count;
  if written < cardinality(devices) then
    raise exception 'a transaction identifier was used before' using errcode = 'CW002';
  end if;
  return before;
end $$;

-- A key that changes more than once in a batch: each row ends where the next begins.
create function write_room_state(
  before bigint, rooms bigint[], lines bigint[], keys bigint[], versions bigint[], events bigint[]
) returns bigint language plpgsql volatile as $$
begin
  update room_state s set to_version = n.version
    from (select c.room, c.line, c.key, min(c.version) as version
          from unnest(rooms, lines, keys, versions) c(room, line, key, version)
          group by c.room, c.line, c.key) n
    where s.room_nid = n.room and s.line = n.line and s.state_key_nid = n.key and s.to_version = 2147483647;
  insert into room_state (room_nid, line, state_key_nid, from_version, to_version, event_nid)
    select n.room, n.line, n.key, n.version,
           lead(n.version, 1, 2147483647::bigint) over (partition by n.room, n.line, n.key order by n.version), n.event
    from unnest(rooms, lines, keys, versions, events) n(room, line, key, version, event);
  return before;
end $$;

create function write_state_lines(
  before bigint, rooms bigint[], lines bigint[], parents bigint[], parent_versions bigint[]
) returns bigint language plpgsql volatile as $$
begin
  insert into state_lines (room_nid, line, parent_line, parent_version)
    select * from unnest(rooms, lines, parents, parent_versions);
  return before;
end $$;

create function write_memberships(
  before bigint, users bigint[], rooms bigint[], all_values bigint[], forgottens bigint[], events bigint[],
  offsets bigint[], stripped bytea[]
) returns bigint language plpgsql volatile as $$
begin
  insert into memberships as m (user_nid, room_nid, membership, forgotten, event_nid, position, stripped_state)
    select distinct on (n.user_nid, n.room) n.user_nid, n.room, n.value, n.forgotten <> 0, n.event, before + n.place, n.stripped
    from unnest(users, rooms, all_values, forgottens, events, offsets, stripped)
      n(user_nid, room, value, forgotten, event, place, stripped)
    order by n.user_nid, n.room, n.place desc
    on conflict (user_nid, room_nid) do update
      set membership = excluded.membership, forgotten = excluded.forgotten, event_nid = excluded.event_nid,
          position = excluded.position, stripped_state = excluded.stripped_state;
  return before;
end $$;

create function write_room_servers(
  before bigint, servers bigint[], rooms bigint[], offsets bigint[], joined bigint[]
) returns bigint language plpgsql volatile as $$
begin
  for i in 1 .. cardinality(servers) loop
    if joined[i] <> 0 then
      insert into room_servers (server_nid, room_nid, from_position)
        select servers[i], rooms[i], before + offsets[i]
        where not exists (select from room_servers s where s.server_nid = servers[i] and s.room_nid = rooms[i]
                          and s.to_position = 9223372036854775807)
        on conflict do nothing;
    else
      update room_servers s set to_position = before + offsets[i]
        where s.server_nid = servers[i] and s.room_nid = rooms[i] and s.to_position = 9223372036854775807;
    end if;
  end loop;
  return before;
end $$;

create function write_redactions(before bigint, targets bytea[], nids bigint[], all_applied bigint[])
returns bigint language plpgsql volatile as $$
begin
  insert into redactions as r (target_event_id, redaction_nid, applied)
    select n.target, n.nid, bool_or(n.applied <> 0)
    from unnest(targets, nids, all_applied) n(target, nid, applied)
    group by n.target, n.nid
    on conflict (target_event_id, redaction_nid) do update set applied = r.applied or excluded.applied;
  return before;
end $$;

-- Redacted copies of events.
create function replace_events(before bigint, nids bigint[], all_flags bigint[], jsons bytea[])
returns bigint language plpgsql volatile as $$
begin
  update events e set flags = n.flags, json = n.json
    from unnest(nids, all_flags, jsons) n(nid, flags, json) where e.event_nid = n.nid;
  return before;
end $$;

create function write_gaps(before bigint, rooms bigint[], missing bytea[], later bigint[])
returns bigint language plpgsql volatile as $$
begin
  insert into gaps (room_nid, missing_event_id, later_event_nid)
    select * from unnest(rooms, missing, later)
    on conflict do nothing;
  return before;
end $$;

create function close_gaps(before bigint, rooms bigint[], ids bytea[])
returns bigint language plpgsql volatile as $$
begin
  delete from gaps g using unnest(rooms, ids) n(room, id) where g.room_nid = n.room and g.missing_event_id = n.id;
  return before;
end $$;

-- From which `sub` to count down for so many places before this one that are nobody's: right before it if they fit, else before
-- all that are at this anchor.
create function free_below(in_room bigint, at_anchor bigint, at_sub int, places bigint) returns int language sql stable as $$
  select case when max(taken.sub) is null or at_sub - max(taken.sub) - 1 >= places then at_sub else min(taken.sub) end
  from (
    (select e.sub from events e where e.room_nid = in_room and e.anchor = at_anchor and e.sub < at_sub
      order by e.sub desc limit 1) union all
    (select e.sub from events e where e.room_nid = in_room and e.anchor = at_anchor and e.sub < at_sub
      order by e.sub limit 1) union all
    (select l.sub from late_events l where l.room_nid = in_room and l.anchor = at_anchor and l.sub < at_sub
      order by l.sub desc limit 1) union all
    (select l.sub from late_events l where l.room_nid = in_room and l.anchor = at_anchor and l.sub < at_sub
      order by l.sub limit 1)) taken
$$;

-- Gives events that came late, in their order, places before the one at (anchor, sub). Those that have such a place keep it.
create function write_late_events(
  before bigint, rooms bigint[], anchors bigint[], subs bigint[], firsts bigint[], lasts bigint[], all_events bigint[]
) returns bigint language plpgsql volatile as $$
declare
  below int;
  places int;
begin
  for i in 1 .. cardinality(rooms) loop
    places := lasts[i] - firsts[i] + 1;
    below := free_below(rooms[i], anchors[i], subs[i]::int, places);
    insert into late_events (event_nid, room_nid, anchor, sub)
      select n.nid, rooms[i], anchors[i], below - places - 1 + n.place::int
      from unnest(all_events[firsts[i]:lasts[i]]) with ordinality n(nid, place)
      on conflict do nothing;
  end loop;
  return before;
end $$;

create function publish_rooms(before bigint, rooms bigint[], all_values bigint[])
returns bigint language plpgsql volatile as $$
begin
  update rooms r set published = n.value <> 0 from unnest(rooms, all_values) n(room, value) where r.room_nid = n.room;
  return before;
end $$;

create function write_outbox_extra(before bigint, servers bigint[], offsets bigint[])
returns bigint language plpgsql volatile as $$
begin
  insert into outbox_extra (server_nid, position)
    select n.server, before + n.place from unnest(servers, offsets) n(server, place)
    on conflict do nothing;
  return before;
end $$;

create function delete_staged_pdus(before bigint, ids bytea[]) returns bigint language plpgsql volatile as $$
begin
  delete from staged_pdus where event_id = any(ids);
  return before;
end $$;

create function write_receipts(
  before bigint, rooms bigint[], users bigint[], types bytea[], threads bytea[], events bytea[], tss bigint[],
  offsets bigint[]
) returns bigint language plpgsql volatile as $$
begin
  insert into receipts (room_nid, user_nid, receipt_type, thread_id, event_id, ts, position)
    select distinct on (n.room, n.user_nid, n.type, n.thread)
           n.room, n.user_nid, n.type, n.thread, n.event, n.ts, before + n.place
    from unnest(rooms, users, types, threads, events, tss, offsets) n(room, user_nid, type, thread, event, ts, place)
    order by n.room, n.user_nid, n.type, n.thread, n.place desc
    on conflict (room_nid, user_nid, receipt_type, thread_id) do update
      set event_id = excluded.event_id, ts = excluded.ts, position = excluded.position;
  return before;
end $$;

create function write_account_data(
  before bigint, users bigint[], rooms bigint[], types bytea[], contents bytea[], offsets bigint[]
) returns bigint language plpgsql volatile as $$
begin
  insert into account_data (user_nid, room_nid, type, content, position)
    select distinct on (n.user_nid, n.room, n.type) n.user_nid, n.room, n.type, n.content, before + n.place
    from unnest(users, rooms, types, contents, offsets) n(user_nid, room, type, content, place)
    order by n.user_nid, n.room, n.type, n.place desc
    on conflict (user_nid, room_nid, type) do update set content = excluded.content, position = excluded.position;
  return before;
end $$;

-- When a name came to lead where it does.
alter table aliases add column position bigint not null default 0;

-- In their order. `kinds`: 0 a new alias, 1 no more, 2 all of one room (`from_rooms`) lead to another.
create function write_aliases(
  before bigint, kinds bigint[], names bytea[], rooms bigint[], from_rooms bigint[], creators bigint[], offsets bigint[]
) returns bigint language plpgsql volatile as $$
begin
  for i in 1 .. cardinality(kinds) loop
    case kinds[i]
      when 0 then
        insert into aliases (alias, room_nid, creator_nid, position)
          values (names[i], rooms[i], creators[i], before + offsets[i])
          on conflict do nothing;
        if not found then
          raise exception 'an alias is taken' using errcode = 'CW003';
        end if;
      when 1 then
        delete from aliases where alias = names[i];
      when 2 then
        update aliases set room_nid = rooms[i], position = before + offsets[i] where room_nid = from_rooms[i];
    end case;
  end loop;
  return before;
end $$;

-- In their order. `fields`: 0 the display name, 1 the avatar.
create function write_profiles(before bigint, users bigint[], fields bigint[], contents bytea[])
returns bigint language plpgsql volatile as $$
begin
  for i in 1 .. cardinality(users) loop
    case fields[i]
      when 0 then
        update accounts set display_name = contents[i] where user_nid = users[i];
      when 1 then
        update accounts set avatar_url = contents[i] where user_nid = users[i];
    end case;
  end loop;
  return before;
end $$;

-- Logins and logouts, in their order. A login makes the device or takes it over, and ends the tokens that it had; its name counts
-- for a new device only. A logout (no token) deletes the device with its tokens: that of the number, or all of the user.
create function write_sessions(
  before bigint, users bigint[], device_nids bigint[], device_ids bytea[], names bytea[], token_hashes bytea[], tss bigint[]
) returns bigint language plpgsql volatile as $$
declare
  device bigint;
begin
  for i in 1 .. cardinality(users) loop
    if token_hashes[i] is not null then
      insert into devices as d (user_nid, device_id, display_name, created_ts)
        values (users[i], device_ids[i], names[i], tss[i])
        on conflict (user_nid, device_id) do update set device_id = excluded.device_id
        returning d.device_nid into device;
      delete from access_tokens where device_nid = device;
      insert into access_tokens (token_hash, device_nid, user_nid, created_ts)
        values (token_hashes[i], device, users[i], tss[i]);
    elsif device_nids[i] is not null then
      delete from devices where device_nid = device_nids[i];
      delete from access_tokens where device_nid = device_nids[i];
    else
      delete from access_tokens t using devices d where d.user_nid = users[i] and t.device_nid = d.device_nid;
      delete from devices where user_nid = users[i];
    end if;
  end loop;
  return before;
end $$;

-- How far those have got who follow the stream and must miss nothing of it.
create table consumers (
  name     text primary key,
  position bigint not null
);
