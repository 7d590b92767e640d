-- An order of a room's state events in which each comes after what it cites. An event's number is one where what is cited is
-- stored first. It is not where an event was known before anything that it cites, such as an invite to a room that this
-- server was not in, and got its place later.
alter table events add column auth_order bigint;  -- null: event_nid

-- What cites a later number, and what cites that, until it holds. The bound is for rows that cite each other in a circle, which
-- the identifiers of room versions 1 and 2 allow.
do $$
begin
  create temporary table raised on commit drop as
    select distinct e.room_nid from events e
    where e.auth_nids is not null and exists (select from unnest(e.auth_nids) cited(nid) where cited.nid >= e.event_nid);
  for pass in 1 .. 1000 loop
    update events e set auth_order = n.needed
      from (select c.event_nid, max(coalesce(a.auth_order, a.event_nid)) + 1 as needed
            from events c cross join unnest(c.auth_nids) cited(nid) join events a on a.event_nid = cited.nid
            where c.room_nid in (select room_nid from raised)
            group by c.event_nid) n
      where e.event_nid = n.event_nid and n.needed > coalesce(e.auth_order, e.event_nid);
    exit when not found;
  end loop;
end $$;

-- Outliers that nothing was checked of (EventFlags::unjudged, 64): they have auth_events, but no numbers of them. From version 12
-- on there are events that need none.
update events e set flags = e.flags | 64
  where e.anchor is null and e.state_key_nid is not null and cardinality(e.auth_nids) = 0
    and position('"auth_events":["'::bytea in e.json) + position('"auth_events":[["'::bytea in e.json) > 0;

drop function write_batch(
  bigint, bigint, bigint[], bytea[], bytea[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bigint[],
  bytea[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bigint[], bigint[], bytea[], bigint[],
  bigint[], bigint[], bigint[], bytea[], bigint[], bytea[], bigint[], bigint[], bytea[], bytea[], bigint[], bigint[],
  bigint[], bigint[], bigint[], bigint[], bytea[], bigint[], bigint[], bytea[], bytea[], bytea[], bigint[], bigint[],
  bigint[], bigint[], bytea[], bytea[], bigint[]);

-- Commits a batch in one round trip: everything or nothing. Returns the last position before it.
-- `..._offsets` count from that position; 1 is the batch's first. Arrays of one group are columns of one table.
-- Flattened arrays (auth events, extremities) come with the first and the last index of each row's part.
-- SQLSTATEs of its own: CW001 an older generation, CW002 a transaction identifier that was used, CW003 an alias that is taken.
create function write_batch(
  my_generation bigint, position_count bigint,
  room_nids bigint[], room_ids bytea[], room_versions bytea[], room_residents bigint[], room_created_tss bigint[],
  event_nids bigint[], event_rooms bigint[], event_senders bigint[], event_keys bigint[], event_offsets bigint[],
  event_anchors bigint[], event_subs bigint[], event_lines bigint[], event_versions bigint[], event_after_lines bigint[],
  event_after_versions bigint[], event_flags bigint[], event_ids bytea[], event_auth_firsts bigint[],
  event_auth_lasts bigint[], event_auth_orders bigint[], event_auths bigint[], event_jsons bytea[],
  head_rooms bigint[], head_versions bigint[], head_next_lines bigint[], head_residents bigint[],
  head_extremity_firsts bigint[], head_extremity_lasts bigint[], head_extremities bigint[],
  transaction_devices bigint[], transaction_keys bytea[], transaction_events bigint[],
  change_rooms bigint[], change_lines bigint[], change_keys bigint[], change_versions bigint[], change_events bigint[],
  line_rooms bigint[], line_lines bigint[], line_parents bigint[], line_parent_versions bigint[],
  membership_users bigint[], membership_rooms bigint[], membership_values bigint[], membership_forgottens bigint[],
  membership_events bigint[], membership_offsets bigint[], membership_stripped bytea[],
  server_nids bigint[], server_rooms bigint[], server_offsets bigint[], server_joined bigint[],
  redaction_targets bytea[], redaction_nids bigint[], redaction_applied bigint[],
  replaced_nids bigint[], replaced_flags bigint[], replaced_jsons bytea[],
  gap_rooms bigint[], gap_missing bytea[], gap_later bigint[],
  closed_gap_rooms bigint[], closed_gap_ids bytea[],
  alias_names bytea[], alias_rooms bigint[], alias_creators bigint[],
  published_rooms bigint[], published_values bigint[],
  extra_servers bigint[], extra_offsets bigint[],
  unstaged_ids bytea[],
  receipt_rooms bigint[], receipt_users bigint[], receipt_types bytea[], receipt_threads bytea[], receipt_events bytea[],
  receipt_tss bigint[], receipt_offsets bigint[],
  data_users bigint[], data_rooms bigint[], data_types bytea[], data_contents bytea[], data_offsets bigint[]
) returns bigint language plpgsql volatile as $$
declare
  base bigint;
  inserted bigint;
begin
  perform lock_stream();
  update stream set position = position + position_count, batch = batch + 1
    where generation = my_generation returning position - position_count into base;
  if not found then
    raise exception 'generation % of the stream''s writer is over', my_generation using errcode = 'CW001';
  end if;

  if cardinality(room_nids) > 0 then
    insert into rooms (room_nid, room_id, version, resident, created_ts)
      select n.nid, n.id, convert_from(n.version, 'UTF8'), n.resident <> 0, n.created_ts
      from unnest(room_nids, room_ids, room_versions, room_residents, room_created_tss)
        n(nid, id, version, resident, created_ts);
  end if;

  if cardinality(event_nids) > 0 then
    insert into events (event_nid, room_nid, sender_nid, state_key_nid, anchor, sub, state_line, state_version, after_line,
                        after_version, flags, event_id, auth_nids, auth_order, json)
      select n.nid, n.room, n.sender, n.key, coalesce(base + n.place, n.anchor), n.sub, n.line, n.version, n.after_line,
             n.after_version, n.flags, n.id,
             case when n.auth_first is not null then event_auths[n.auth_first:n.auth_last] end, n.auth_order, n.json
      from unnest(event_nids, event_rooms, event_senders, event_keys, event_offsets, event_anchors, event_subs, event_lines,
                  event_versions, event_after_lines, event_after_versions, event_flags, event_ids, event_auth_firsts,
                  event_auth_lasts, event_auth_orders, event_jsons)
        n(nid, room, sender, key, place, anchor, sub, line, version, after_line, after_version, flags, id, auth_first,
          auth_last, auth_order, json)
      -- An outlier that gets its place in the timeline after all, or that can be judged now.
      on conflict (event_nid) do update
        set anchor = excluded.anchor, sub = excluded.sub, state_line = excluded.state_line,
            state_version = excluded.state_version, after_line = excluded.after_line,
            after_version = excluded.after_version, flags = excluded.flags, auth_nids = excluded.auth_nids,
            auth_order = excluded.auth_order, json = excluded.json
        where events.anchor is null;
    get diagnostics inserted = row_count;
    if inserted <> cardinality(event_nids) then
      raise exception 'the number of an event is taken' using errcode = 'unique_violation';
    end if;
  end if;

  if cardinality(head_rooms) > 0 then
    update rooms r
      set state_version = n.version, next_line = n.next_line, resident = n.resident <> 0,
          extremities = head_extremities[n.first:n.last]
      from unnest(head_rooms, head_versions, head_next_lines, head_residents, head_extremity_firsts, head_extremity_lasts)
        n(room, version, next_line, resident, first, last)
      where r.room_nid = n.room;
  end if;

  if cardinality(transaction_devices) > 0 then
    insert into transactions (device_nid, key, event_nid, created_ts)
      select n.device, encode(n.key, 'hex')::uuid, n.event, extract(epoch from clock_timestamp()) * 1000
      from unnest(transaction_devices, transaction_keys, transaction_events) n(device, key, event)
      on conflict do nothing;
    get diagnostics inserted = row_count;
    if inserted < cardinality(transaction_devices) then
      raise exception 'a transaction identifier was used before' using errcode = 'CW002';
    end if;
  end if;

  -- A key that changes more than once in a batch: each row ends where the next begins.
  if cardinality(change_rooms) > 0 then
    update room_state s set to_version = n.version
      from (select c.room, c.line, c.key, min(c.version) as version
            from unnest(change_rooms, change_lines, change_keys, change_versions) c(room, line, key, version)
            group by c.room, c.line, c.key) n
      where s.room_nid = n.room and s.line = n.line and s.state_key_nid = n.key and s.to_version = 2147483647;
    insert into room_state (room_nid, line, state_key_nid, from_version, to_version, event_nid)
      select n.room, n.line, n.key, n.version,
             lead(n.version, 1, 2147483647::bigint) over (partition by n.room, n.line, n.key order by n.version), n.event
      from unnest(change_rooms, change_lines, change_keys, change_versions, change_events) n(room, line, key, version, event);
  end if;

  if cardinality(line_rooms) > 0 then
    insert into state_lines (room_nid, line, parent_line, parent_version)
      select * from unnest(line_rooms, line_lines, line_parents, line_parent_versions);
  end if;

  if cardinality(membership_users) > 0 then
    insert into memberships as m (user_nid, room_nid, membership, forgotten, event_nid, position, stripped_state)
      select distinct on (n.user_nid, n.room) n.user_nid, n.room, n.value, n.forgotten <> 0, n.event, base + n.place, n.stripped
      from unnest(membership_users, membership_rooms, membership_values, membership_forgottens, membership_events,
                  membership_offsets, membership_stripped) n(user_nid, room, value, forgotten, event, place, stripped)
      order by n.user_nid, n.room, n.place desc
      on conflict (user_nid, room_nid) do update
        set membership = excluded.membership, forgotten = excluded.forgotten, event_nid = excluded.event_nid,
            position = excluded.position, stripped_state = excluded.stripped_state;
  end if;

  for i in 1 .. cardinality(server_nids) loop
    if server_joined[i] <> 0 then
      insert into room_servers (server_nid, room_nid, from_position)
        select server_nids[i], server_rooms[i], base + server_offsets[i]
        where not exists (select from room_servers s where s.server_nid = server_nids[i] and s.room_nid = server_rooms[i]
                          and s.to_position = 9223372036854775807)
        on conflict do nothing;
    else
      update room_servers s set to_position = base + server_offsets[i]
        where s.server_nid = server_nids[i] and s.room_nid = server_rooms[i] and s.to_position = 9223372036854775807;
    end if;
  end loop;

  if cardinality(redaction_nids) > 0 then
    insert into redactions as r (target_event_id, redaction_nid, applied)
      select n.target, n.nid, bool_or(n.applied <> 0)
      from unnest(redaction_targets, redaction_nids, redaction_applied) n(target, nid, applied)
      group by n.target, n.nid
      on conflict (target_event_id, redaction_nid) do update set applied = r.applied or excluded.applied;
  end if;

  if cardinality(replaced_nids) > 0 then
    update events e set flags = n.flags, json = n.json
      from unnest(replaced_nids, replaced_flags, replaced_jsons) n(nid, flags, json)
      where e.event_nid = n.nid;
  end if;

  if cardinality(gap_rooms) > 0 then
    insert into gaps (room_nid, missing_event_id, later_event_nid)
      select * from unnest(gap_rooms, gap_missing, gap_later)
      on conflict do nothing;
  end if;

  if cardinality(closed_gap_rooms) > 0 then
    delete from gaps g using unnest(closed_gap_rooms, closed_gap_ids) n(room, id)
      where g.room_nid = n.room and g.missing_event_id = n.id;
  end if;

  if cardinality(alias_names) > 0 then
    insert into aliases (alias, room_nid, creator_nid)
      select * from unnest(alias_names, alias_rooms, alias_creators)
      on conflict do nothing;
    get diagnostics inserted = row_count;
    if inserted < cardinality(alias_names) then
      raise exception 'an alias is taken' using errcode = 'CW003';
    end if;
  end if;

  if cardinality(published_rooms) > 0 then
    update rooms r set published = n.value <> 0
      from unnest(published_rooms, published_values) n(room, value) where r.room_nid = n.room;
  end if;

  if cardinality(extra_servers) > 0 then
    insert into outbox_extra (server_nid, position)
      select n.server, base + n.place from unnest(extra_servers, extra_offsets) n(server, place)
      on conflict do nothing;
  end if;

  if cardinality(unstaged_ids) > 0 then
    delete from staged_pdus where event_id = any(unstaged_ids);
  end if;

  if cardinality(receipt_rooms) > 0 then
    insert into receipts (room_nid, user_nid, receipt_type, thread_id, event_id, ts, position)
      select distinct on (n.room, n.user_nid, n.type, n.thread)
             n.room, n.user_nid, n.type, n.thread, n.event, n.ts, base + n.place
      from unnest(receipt_rooms, receipt_users, receipt_types, receipt_threads, receipt_events, receipt_tss, receipt_offsets)
        n(room, user_nid, type, thread, event, ts, place)
      order by n.room, n.user_nid, n.type, n.thread, n.place desc
      on conflict (room_nid, user_nid, receipt_type, thread_id) do update
        set event_id = excluded.event_id, ts = excluded.ts, position = excluded.position;
  end if;

  if cardinality(data_users) > 0 then
    insert into account_data (user_nid, room_nid, type, content, position)
      select distinct on (n.user_nid, n.room, n.type) n.user_nid, n.room, n.type, n.content, base + n.place
      from unnest(data_users, data_rooms, data_types, data_contents, data_offsets) n(user_nid, room, type, content, place)
      order by n.user_nid, n.room, n.type, n.place desc
      on conflict (user_nid, room_nid, type) do update set content = excluded.content, position = excluded.position;
  end if;

  return base;
end $$;
