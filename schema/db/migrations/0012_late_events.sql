-- Live events that came late, after the event that names them: where /messages shows them, which is before that one. In the stream
-- they stay where they came. (anchor, sub) is a place as in events, and nobody's there.
create table late_events (
  event_nid bigint primary key,
  room_nid  bigint not null,
  anchor    bigint not null,
  sub       int not null,
  unique (room_nid, anchor, sub)
);
