-- The aliases of a room that is replaced lead to the other, in the commit that makes it.
create function move_aliases(from_rooms bigint[], to_rooms bigint[]) returns void language sql volatile as $$
  update aliases a set room_nid = n.to_room
    from unnest(from_rooms, to_rooms) n(from_room, to_room) where a.room_nid = n.from_room
$$;
