-- The first schema. Types, state keys, identifiers and event JSON are bytea: text cannot hold U+0000.
-- Numbers (..._nid) stand for strings that are stored once. Event identifiers are EventId::to_db().

-- Facts about this deployment, e.g. 'server_name'.
create table server_meta (key text primary key, value bytea not null);

create table signing_keys (
  key_id     text primary key,
  seed       bytea not null,
  created_ts bigint not null,
  expired_ts bigint            -- null: in use
);

-- The one stream of positions and the fence of its writer. One row. `generation` rises with every writer that takes over, and
-- with every new connection of the same one; `batch` counts commits, so that a writer that lost a connection can tell whether
-- its last one happened.
create table stream (
  one        boolean primary key default true check (one),
  writer     uuid,
  generation bigint not null default 0,
  batch      bigint not null default 0,
  position   bigint not null default 0
) with (fillfactor = 10);
insert into stream default values;

create table servers (
  server_nid bigint primary key generated always as identity,
  name       bytea not null unique
);

create table users (
  user_nid   bigint primary key generated always as identity,
  user_id    bytea not null unique,
  server_nid bigint not null
);

-- Pairs (type, state_key).
create table state_keys (
  state_key_nid bigint primary key generated always as identity,
  type          bytea not null,
  state_key     bytea not null,
  unique (type, state_key)
);

create sequence room_nid;
-- Event numbers are handed out in blocks of 1024: block k is [1024 k, 1024 (k + 1)).
create sequence event_nid_block;

create table rooms (
  room_nid      bigint primary key,
  room_id       bytea not null unique,
  version       text not null,
  -- The main line (0) is what this server resolved. Its newest version; readers of "current state" use it.
  state_version int not null default 0,
  next_line     int not null default 1,
  -- Forward extremities: events without a successor, none of them soft-failed or rejected.
  extremities   bigint[] not null default '{}',
  -- This server has a joined member. False: all it knows are invites, or everyone left.
  resident      boolean not null,
  published     boolean not null default false,
  created_ts    bigint not null
) with (fillfactor = 70);

-- An event is live (sub = 0: anchor is its position in the stream), backfilled (sub < 0: before the event at `anchor`) or an
-- outlier (anchor null). (anchor, sub) orders a room for pagination.
create table events (
  event_nid     bigint primary key,
  room_nid      bigint not null,
  anchor        bigint,
  sender_nid    bigint not null,
  state_key_nid bigint,           -- state events only
  state_line    int,              -- the state before it; null for outliers
  state_version int,
  after_line    int,              -- the state after it where that differs from the state before
  after_version int,
  sub           int not null default 0,
  flags         smallint not null,  -- EventFlags in schema/db/tables/events.hpp
  event_id      bytea not null unique,
  auth_nids     bigint[],         -- state events only
  json          bytea not null
);
create unique index events_order on events (room_nid, anchor, sub) where anchor is not null;
-- For single events by position (outbox_extra): live events lie in the table in that order, so this index is tiny.
create index events_anchor on events using brin (anchor) with (autosummarize = on);

-- The timeline of state: which event holds a key on a line from a version on, until (exclusive) another.
-- event_nid 0: the key is absent although the parent line has it.
create table room_state (
  room_nid      bigint not null,
  line          int not null,
  state_key_nid bigint not null,
  from_version  int not null,
  to_version    int not null default 2147483647,
  event_nid     bigint not null,
  primary key (room_nid, line, state_key_nid, from_version)
);
create index room_state_changes on room_state (room_nid, line, from_version);
create index room_state_current on room_state (room_nid, state_key_nid) include (event_nid)
  where line = 0 and to_version = 2147483647;

-- A line other than the main one starts from a version of its parent, or from nothing (a snapshot in itself).
create table state_lines (
  room_nid       bigint not null,
  line           int not null,
  parent_line    int,
  parent_version int,
  primary key (room_nid, line),
  check (parent_line < line)   -- so that following parents ends
);

-- Events named in prev_events that this server does not have: where backfill continues.
create table gaps (
  room_nid         bigint not null,
  missing_event_id bytea not null,
  later_event_nid  bigint not null,
  primary key (room_nid, missing_event_id, later_event_nid)
);

-- Redactions and their targets. Not applied: the target has not arrived, or the sender may not redact it (never will be).
create table redactions (
  target_event_id bytea not null,
  redaction_nid   bigint not null,
  applied         boolean not null,
  primary key (target_event_id, redaction_nid)
);

-- Membership of local users as of the main line. Also invites and knocks of rooms this server is not in: then event_nid is an
-- outlier and stripped_state a JSON array for the client.
create table memberships (
  user_nid       bigint not null,
  room_nid       bigint not null,
  membership     smallint not null,  -- Membership in schema/db/tables/memberships.hpp
  forgotten      boolean not null default false,
  event_nid      bigint not null,
  position       bigint not null,
  stripped_state bytea,
  primary key (user_nid, room_nid)
);
create index memberships_room on memberships (room_nid, membership);

-- Which servers are in a room, from the position of the event that brought the first member (exclusive) to that of the one
-- that took away the last (inclusive): what a destination is owed.
create table room_servers (
  server_nid    bigint not null,
  room_nid      bigint not null,
  from_position bigint not null,
  to_position   bigint not null default 9223372036854775807,
  primary key (server_nid, room_nid, from_position)
);
create index room_servers_room on room_servers (room_nid);

-- What a client did with a transaction identifier; key is a hash of path and identifier. Old rows are deleted.
create table transactions (
  device_nid bigint not null,
  key        uuid not null,
  event_nid  bigint not null,
  created_ts bigint not null,
  primary key (device_nid, key)
);
create index transactions_age on transactions using brin (created_ts);

create table receipts (
  room_nid     bigint not null,
  user_nid     bigint not null,
  receipt_type bytea not null,
  thread_id    bytea not null,     -- '' for unthreaded
  event_id     bytea not null,
  ts           bigint not null,
  position     bigint not null,
  primary key (room_nid, user_nid, receipt_type, thread_id)
);
create index receipts_position on receipts (room_nid, position);

-- room_nid 0: global.
create table account_data (
  user_nid bigint not null,
  room_nid bigint not null,
  type     bytea not null,
  content  bytea not null,
  position bigint not null,
  primary key (user_nid, room_nid, type)
);
create index account_data_position on account_data (user_nid, position);

create table accounts (
  user_nid       bigint primary key,
  password_hash  text,             -- null: cannot log in with a password
  is_admin       boolean not null default false,
  deactivated    boolean not null default false,
  display_name   bytea,
  avatar_url     bytea,
  created_ts     bigint not null
);

create table devices (
  device_nid   bigint primary key generated always as identity,
  user_nid     bigint not null,
  device_id    bytea not null,
  display_name bytea,
  created_ts   bigint not null,
  unique (user_nid, device_id)
);

-- Only hashes of tokens are kept.
create table access_tokens (
  token_hash bytea primary key,
  device_nid bigint not null,
  user_nid   bigint not null,
  created_ts bigint not null
);
create index access_tokens_device on access_tokens (device_nid);

create table registration_tokens (
  token        bytea primary key,
  uses_allowed int,                -- null: unlimited
  completed    int not null default 0,
  expires_ts   bigint
);

create table filters (
  user_nid  bigint not null,
  filter_id bigint not null,
  json      bytea not null,
  primary key (user_nid, filter_id)
);

create table aliases (
  alias       bytea primary key,
  room_nid    bigint not null,
  creator_nid bigint not null
);
create index aliases_room on aliases (room_nid);

-- Inbound PDUs that were answered with 200 but wait for events that are still missing.
create table staged_pdus (
  staged_nid  bigint primary key generated always as identity,
  event_id    bytea not null unique,
  room_id     bytea not null,
  origin      bytea not null,
  json        bytea not null,
  received_ts bigint not null
);
create index staged_pdus_room on staged_pdus (room_id, staged_nid);

create table remote_keys (
  server         bytea not null,
  key_id         bytea not null,
  public_key     bytea not null,
  valid_until_ts bigint not null,
  expired_ts     bigint,           -- of old_verify_keys
  primary key (server, key_id)
);

-- The outbox is the events table itself; this is how far each destination has got with it.
create table destinations (
  server_nid        bigint primary key,
  cursor            bigint not null,
  retry_interval_ms bigint not null default 0,  -- 0: healthy
  retry_at_ts       bigint not null default 0
);

-- Single events owed to a server that is not in the room, e.g. the kick of an invited user.
create table outbox_extra (
  server_nid bigint not null,
  position   bigint not null,
  primary key (server_nid, position)
);
