// Who may see which events, by the state at each event.
//
// spec: client-server-api#room-history-visibility
#pragma once

#include "homeserver/rooms/reader/membership_cache.hpp"
#include "homeserver/rooms/reader/state_timelines.hpp"
#include "homeserver/stream/committed.hpp"

namespace causeway {

// The rules for one state at one event. `joined_later`: the user joined at some point after the event was sent.
bool may_see(HistoryVisibility visibility, db::Membership membership, bool joined_later);

class RoomHistory {
 public:
  RoomHistory(db::Database& database, Interner& interner, EventStore& events, StateStore& states,
              MembershipCache& memberships);

  using Events = std::vector<StoredEventPtr>;

  // See RoomReader for these.
  Task<std::optional<RoomReader::Readable>> readable(UserNid nid, UserId user, RoomInfoPtr room);
  Task<StoredEventPtr> end_of_stay(UserId user, RoomMembership now) {
    return timelines_.end_of_stay(std::move(user), std::move(now));
  }
  Task<Events> visible_to(UserId user, RoomInfoPtr room, Events events);
  Task<std::vector<EventPtr>> visible_to_server(ServerName server, RoomInfoPtr room, Events events);
  Task<std::vector<db::Membership>> memberships_at(UserId user, RoomInfoPtr room, Events events);

  void committed(const Committed& facts) { timelines_.committed(facts); }

 private:
  // Whether a server has somebody in a room, asked at several states of it.
  struct ServerMembers;
  Task<bool> has_member(ServerMembers& members, StateRef at, bool invited_counts);
  Task<std::vector<StateKeyNid>> member_keys(ServerName server, RoomInfoPtr room);

  db::Database& database_;
  Interner& interner_;
  EventStore& events_;
  StateStore& states_;
  MembershipCache& memberships_;
  StateTimelines timelines_;
};

}  // namespace causeway
