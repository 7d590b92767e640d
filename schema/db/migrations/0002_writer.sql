-- Numbers for strings: what is new gets a row. Results are in the order given. Each statement of a volatile function has a
-- snapshot of its own, so the last one sees rows that another connection won the race for.

create function intern_servers(names bytea[]) returns setof bigint language plpgsql volatile as $$
begin
  insert into servers (name)
    select distinct given.name from unnest(names) given(name)
    where not exists (select from servers s where s.name = given.name)
    order by 1
    on conflict do nothing;
  return query
    select s.server_nid from unnest(names) with ordinality given(name, place) join servers s on s.name = given.name
    order by given.place;
end $$;

create function intern_users(ids bytea[], names_of_servers bytea[]) returns setof bigint language plpgsql volatile as $$
begin
  perform intern_servers(names_of_servers);
  insert into users (user_id, server_nid)
    select distinct given.user_id, s.server_nid
    from unnest(ids, names_of_servers) given(user_id, server) join servers s on s.name = given.server
    where not exists (select from users u where u.user_id = given.user_id)
    order by 1
    on conflict do nothing;
  return query
    select u.user_nid from unnest(ids) with ordinality given(user_id, place) join users u on u.user_id = given.user_id
    order by given.place;
end $$;

create function intern_state_keys(types bytea[], keys bytea[]) returns setof bigint language plpgsql volatile as $$
begin
  insert into state_keys (type, state_key)
    select distinct given.type, given.state_key from unnest(types, keys) given(type, state_key)
    where not exists (select from state_keys k where k.type = given.type and k.state_key = given.state_key)
    order by 1, 2
    on conflict do nothing;
  return query
    select k.state_key_nid
    from rows from (unnest(types), unnest(keys)) with ordinality given(type, state_key, place)
      join state_keys k on k.type = given.type and k.state_key = given.state_key
    order by given.place;
end $$;
