// The table of rules. Each is true after purges, restores, upgrades and crashes too; where one is narrower than it
// could be, its comment says what is legal beside it. `known`, `self`, `given` and `members` are in consistency.cpp;
// <names> are those of EventFlags.
#include "schema/db/consistency.hpp"

namespace causeway::db {

namespace {

constexpr ConsistencyRule rules[] = {
    // The stream.
    {"position_given_twice", R"(
      select 'position ' || position || ': ' || string_agg(holder, ', ' order by holder) from given
      group by position having count(*) > 1)"},
    {"position_above_stream", R"(
      select p.holder || ' at ' || p.position from stream, (
        select position, holder from given
        union all select anchor, 'event ' || event_nid from events where sub < 0
        union all select anchor, 'late event ' || event_nid from late_events
        union all select from_position, 'stay of server ' || server_nid || ' in room ' || room_nid from room_servers
        union all select to_position, 'stay of server ' || server_nid || ' in room ' || room_nid from room_servers
          where to_position <> 9223372036854775807
        union all select position, 'event owed to server ' || server_nid from outbox_extra
        union all select cursor, 'cursor of server ' || server_nid from destinations
        union all select position, 'consumer ' || name from consumers
        union all select until, 'lost span' from lost_spans) p
      where p.position > stream.position or p.position < 0)"},
    {"position_in_lost_span", R"(
      select g.holder || ' at ' || g.position from lost_spans l join given g on g.position > l.after and g.position <= l.until)"},

    // Numbers that are handed out but were not taken.
    {"event_number_not_taken", R"(
      select 'event ' || e.event_nid from event_nid_block b, (select max(event_nid) as event_nid from events) e
      where e.event_nid >= (case when b.is_called then b.last_value + 1 else b.last_value end) * 1024)"},
    {"room_number_not_taken", R"(
      select 'room ' || k.room_nid from room_nid n, (select max(room_nid) as room_nid from known) k
      where k.room_nid >= case when n.is_called then n.last_value + 1 else n.last_value end)"},

    // State is a timeline.
    {"state_span_empty", R"(
      select format('room %s, line %s, key %s: from %s to %s', room_nid, line, state_key_nid, from_version, to_version)
      from room_state where to_version <= from_version)"},
    {"state_spans_overlap", R"(
      select format('room %s, line %s, key %s: from %s to %s', room_nid, line, state_key_nid, from_version, to_version) from (
        select *, lead(from_version) over (partition by room_nid, line, state_key_nid order by from_version) as next
        from room_state) s
      where next < to_version)"},
    {"state_beyond_head", R"(
      select format('room %s, key %s: from %s to %s', s.room_nid, s.state_key_nid, s.from_version, s.to_version)
      from room_state s join rooms r using (room_nid)
      where s.line = 0 and (s.from_version > r.state_version or s.from_version < 1
        or (s.to_version > r.state_version and s.to_version <> 2147483647)))"},
    {"state_on_unknown_line", R"(
      select distinct format('room %s, line %s', s.room_nid, s.line) from room_state s join rooms using (room_nid)
        left join state_lines l on l.room_nid = s.room_nid and l.line = s.line
      where s.line <> 0 and l.line is null)"},
    {"state_of_unknown", R"(
      select format('room %s, line %s, key %s', s.room_nid, s.line, s.state_key_nid)
      from room_state s left join known using (room_nid) left join state_keys k using (state_key_nid)
      where known.room_nid is null or k.state_key_nid is null)"},
    // 0: nobody holds the key.
    {"state_held_by_wrong_event", R"(
      select format('room %s, line %s, key %s: event %s', s.room_nid, s.line, s.state_key_nid, s.event_nid)
      from room_state s join rooms using (room_nid) left join events e using (event_nid)
      where s.event_nid <> 0 and (e.room_nid is distinct from s.room_nid or e.state_key_nid is distinct from s.state_key_nid
        or e.flags & (<rejected> | <unjudged>) <> 0))"},
    {"line_out_of_place", R"(
      select format('room %s, line %s on (%s, %s)', l.room_nid, l.line, l.parent_line, l.parent_version)
      from state_lines l left join known using (room_nid) left join rooms r using (room_nid)
        left join state_lines p on p.room_nid = l.room_nid and p.line = l.parent_line
      where known.room_nid is null or l.line < 1 or l.line >= r.next_line
        or (l.parent_line is null) <> (l.parent_version is null) or l.parent_version < 0
        or (r.room_nid is not null and (l.parent_version > r.state_version and l.parent_line = 0
          or l.parent_line <> 0 and p.line is null)))"},

    // Events.
    {"event_of_unknown", R"(
      select format('event %s: room %s, sender %s, key %s', e.event_nid, e.room_nid, e.sender_nid, e.state_key_nid)
      from events e left join known using (room_nid) left join users u on u.user_nid = e.sender_nid
        left join state_keys k using (state_key_nid)
      where known.room_nid is null or u.user_nid is null or (e.state_key_nid is not null and k.state_key_nid is null))"},
    // What is unjudged is an outlier, what is behind a gap a live event.
    {"event_out_of_place", R"(
      select format('event %s at (%s, %s), state (%s, %s), after (%s, %s), flags %s', event_nid, anchor, sub, state_line,
        state_version, after_line, after_version, flags) from events
      where sub > 0 or (anchor is null) <> (state_line is null) or (state_line is null) <> (state_version is null)
        or (after_line is null) <> (after_version is null) or (anchor is null and (sub <> 0 or after_line is not null))
        or (anchor is not null and flags & <unjudged> <> 0)
        or ((anchor is null or sub < 0) and flags & <behind_gap> <> 0)
        or (state_key_nid is null) <> (auth_nids is null))"},
    {"backfilled_before_nothing", R"(
      select format('event %s before %s', e.event_nid, e.anchor) from events e join rooms using (room_nid)
        left join events l on l.room_nid = e.room_nid and l.anchor = e.anchor and l.sub = 0
      where e.sub < 0 and l.event_nid is null)"},
    {"event_at_unknown_state", R"(
      select format('event %s at (%s, %s)', e.event_nid, e.line, e.version) from (
        select event_nid, room_nid, state_line as line, state_version as version from events where state_line is not null
        union all
        select event_nid, room_nid, after_line, after_version from events where after_line is not null) e
        join rooms r using (room_nid) left join state_lines l on l.room_nid = e.room_nid and l.line = e.line
      where e.version < 0 or case when e.line = 0 then e.version > r.state_version else l.line is null end)"},
    {"state_after_lacks_event", R"(
      select format('event %s, after (%s, %s)', e.event_nid, e.after_line, e.after_version)
      from events e join rooms using (room_nid)
        left join room_state s on s.room_nid = e.room_nid and s.line = e.after_line and s.state_key_nid = e.state_key_nid
          and s.from_version <= e.after_version and s.to_version > e.after_version and s.event_nid = e.event_nid
      where e.after_line is not null and s.event_nid is null)"},
    // What a rejected event cites may be of another room, which is one reason to reject it.
    {"cited_event_missing", R"(
      select format('event %s cites %s', e.event_nid, cited.nid)
      from events e join rooms using (room_nid) cross join unnest(e.auth_nids) cited(nid)
        left join events a on a.event_nid = cited.nid and a.room_nid = e.room_nid
      where e.flags & <rejected> = 0 and a.event_nid is null)"},
    {"auth_order_not_above_cited", R"(
      select format('event %s cites %s', e.event_nid, a.event_nid)
      from events e cross join unnest(e.auth_nids) cited(nid) join events a on a.event_nid = cited.nid
      where coalesce(a.auth_order, a.event_nid) >= coalesce(e.auth_order, e.event_nid))"},

    // Rooms.
    {"extremity_not_accepted", R"(
      select format('room %s: event %s', r.room_nid, x.nid) from rooms r cross join unnest(r.extremities) x(nid)
        left join events e on e.event_nid = x.nid
      where e.room_nid is distinct from r.room_nid or e.anchor is null or e.flags & (<rejected> | <soft_failed>) <> 0)"},
    {"resident_without_extremity", "select 'room ' || room_nid from rooms where resident and extremities = '{}'"},
    {"resident_without_member", R"(
      select 'room ' || r.room_nid || case when r.resident then ' has no member here' else ' has members here' end
      from rooms r cross join self
      where r.resident <> exists (select from members m join users u using (user_id)
        where m.room_nid = r.room_nid and m.membership = 2 and u.server_nid = self.server_nid))"},
    {"purge_of_wrong_room", R"(
      select 'room ' || p.room_nid from room_purges p left join rooms r on r.room_nid = p.room_nid
      where (r.room_nid is null) <> (p.room_id is not null) or exists (select from rooms o where o.room_id = p.room_id))"},
    {"alias_of_unknown", R"(
      select encode(a.alias, 'escape') from aliases a left join known using (room_nid)
        left join users u on u.user_nid = a.creator_nid where known.room_nid is null or u.user_nid is null)"},

    // Local users in rooms.
    {"membership_of_unknown", R"(
      select format('user %s in room %s: event %s', m.user_nid, m.room_nid, m.event_nid)
      from memberships m left join known using (room_nid) left join users u using (user_nid)
        left join events e on e.event_nid = m.event_nid and e.room_nid = m.room_nid
        left join state_keys k using (state_key_nid)
      where known.room_nid is null or k.type is distinct from 'm.room.member' or k.state_key is distinct from u.user_id)"},
    // While this server is in the room its state tells. Not told by it: an invite that somebody made up or that lost
    // against another event, and what ended it, which is an outlier; and that nobody holds the key any more.
    {"membership_not_of_state", R"(
      select format('user %s in room %s: event %s, in the state %s', m.user_nid, m.room_nid, m.event_nid, s.event_nid)
      from memberships m join rooms r using (room_nid) join users u using (user_nid) join events e on e.event_nid = m.event_nid
        left join members s on s.room_nid = m.room_nid and s.user_id = u.user_id
      where r.resident and s.event_nid is distinct from m.event_nid and m.membership <> 1 and e.anchor is not null
        and not (m.membership = 0 and s.event_nid is null))"},
    {"membership_other_than_event", R"(
      select format('user %s in room %s is %s, in the state %s', m.user_nid, m.room_nid, m.membership, s.membership)
      from memberships m join users u using (user_nid) join members s using (room_nid, user_id, event_nid)
      where s.membership <> m.membership)"},
    {"membership_missing", R"(
      select format('user %s in room %s', u.user_nid, s.room_nid)
      from self join users u using (server_nid) join members s using (user_id) join rooms r using (room_nid)
        left join memberships m on m.user_nid = u.user_nid and m.room_nid = s.room_nid
      where r.resident and m.user_nid is null)"},

    // Servers in rooms. Not this one.
    {"room_server_without_member", R"(
      select format('server %s in room %s', s.server_nid, s.room_nid) from room_servers s join rooms using (room_nid)
      where s.to_position = 9223372036854775807 and not exists (select from members m join users u using (user_id)
        where m.room_nid = s.room_nid and m.membership = 2 and u.server_nid = s.server_nid))"},
    {"room_server_missing", R"(
      select distinct format('server %s in room %s', u.server_nid, m.room_nid)
      from self cross join members m join users u using (user_id)
      where m.membership = 2 and u.server_nid <> self.server_nid and not exists (select from room_servers s
        where s.room_nid = m.room_nid and s.server_nid = u.server_nid and s.to_position = 9223372036854775807))"},
    {"room_server_stays_overlap", R"(
      select format('server %s in room %s: from %s to %s', server_nid, room_nid, from_position, to_position) from (
        select *, lead(from_position) over (partition by server_nid, room_nid order by from_position) as next
        from room_servers) s
      where to_position < from_position or next < to_position)"},
    {"room_server_of_unknown", R"(
      select format('server %s in room %s', s.server_nid, s.room_nid)
      from room_servers s left join known using (room_nid) left join servers n using (server_nid)
      where known.room_nid is null or n.server_nid is null)"},

    // Redactions.
    {"redacted_without_redaction", R"(
      select 'event ' || e.event_nid from events e join rooms using (room_nid)
      where e.flags & <redacted> <> 0 and not exists (select from redactions d where d.target_event_id = e.event_id and d.applied))"},
    {"redaction_not_applied", R"(
      select 'event ' || d.redaction_nid
      from redactions d join events r on r.event_nid = d.redaction_nid join rooms on rooms.room_nid = r.room_nid
        left join events t on t.event_id = d.target_event_id
      where d.applied and (t.room_nid is distinct from r.room_nid or t.flags & <redacted> = 0
        or r.flags & (<rejected> | <soft_failed> | <withheld>) <> 0))"},
    {"redaction_missing", R"(
      select 'event ' || d.redaction_nid from redactions d left join events r on r.event_nid = d.redaction_nid
      where r.event_nid is null)"},

    // What is missing.
    {"gap_before_nothing", R"(
      select format('room %s: before event %s', g.room_nid, g.later_event_nid) from gaps g left join rooms r using (room_nid)
        left join known k using (room_nid) left join events e on e.event_nid = g.later_event_nid
      where k.room_nid is null or r.room_nid is not null and (e.room_nid is distinct from g.room_nid or e.anchor is null))"},
    {"gap_not_marked", R"(
      select 'event ' || e.event_nid from gaps g join events e on e.event_nid = g.later_event_nid
      where e.sub = 0 and e.flags & <behind_gap> = 0)"},
    {"gap_that_is_filled", R"(
      select format('room %s: event %s before event %s', g.room_nid, m.event_nid, g.later_event_nid)
      from gaps g join events m on m.event_id = g.missing_event_id and m.room_nid = g.room_nid where m.anchor is not null)"},
    // Before migration 14 the place was taken before the event was written, so that after a failure nothing is there.
    {"late_event_out_of_place", R"(
      select format('event %s at (%s, %s)', l.event_nid, l.anchor, l.sub) from late_events l
        left join known k using (room_nid) left join rooms r using (room_nid) left join events e using (event_nid)
        left join events before on before.room_nid = l.room_nid and before.anchor = l.anchor and before.sub = 0
        left join events same on same.room_nid = l.room_nid and same.anchor = l.anchor and same.sub = l.sub
      where k.room_nid is null or r.room_nid is not null and (l.sub >= 0 or before.event_nid is null
        or same.event_nid is not null or e.room_nid <> l.room_nid or (e.event_nid is not null and e.anchor is null)
        or e.sub < 0))"},

    // Users, what they keep, and where it is sent.
    {"user_of_unknown_server", R"(
      select 'user ' || u.user_nid from users u left join servers s using (server_nid) where s.server_nid is null)"},
    {"account_of_unknown_user", R"(
      select 'user ' || a.user_nid from accounts a left join users u using (user_nid) left join self on true
      where u.user_nid is null or u.server_nid <> self.server_nid)"},
    {"device_of_unknown_user", R"(
      select 'device ' || d.device_nid from devices d left join accounts a using (user_nid) where a.user_nid is null)"},
    {"token_of_unknown_device", R"(
      select 'device ' || t.device_nid from access_tokens t left join devices d using (device_nid)
      where d.user_nid is distinct from t.user_nid)"},
    {"filter_of_unknown_user", R"(
      select 'user ' || f.user_nid from filters f left join users u using (user_nid) where u.user_nid is null)"},
    {"receipt_of_unknown", R"(
      select format('user %s in room %s', r.user_nid, r.room_nid)
      from receipts r left join known using (room_nid) left join users u using (user_nid)
      where known.room_nid is null or u.user_nid is null)"},
    {"account_data_of_unknown", R"(
      select format('user %s in room %s', d.user_nid, d.room_nid)
      from account_data d left join known using (room_nid) left join users u using (user_nid)
      where u.user_nid is null or (d.room_nid <> 0 and known.room_nid is null))"},
    {"account_data_miscounted", R"(
      select format('user %s: %s bytes, counted %s', user_nid, d.bytes, u.bytes) from (
        select user_nid, sum(account_data_bytes(type, content)) as bytes from account_data group by user_nid) d
        full join account_data_use u using (user_nid)
      where coalesce(d.bytes, 0) <> coalesce(u.bytes, 0))"},
    {"destination_unknown", R"(
      select 'server ' || d.server_nid from (
        select server_nid from destinations union select server_nid from outbox_extra) d left join servers s using (server_nid)
      where s.server_nid is null)"},
};

}  // namespace

std::span<const ConsistencyRule> consistency_rules() {
  return rules;
}

}  // namespace causeway::db
