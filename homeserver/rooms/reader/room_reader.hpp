// What may be asked about a room's committed state: by client-api, sync and federation.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/events/interner.hpp"
#include "homeserver/events/state_store.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "schema/db/tables/enums.hpp"

namespace causeway {

// The committed head of a room. A value: it does not change under the reader.
struct RoomInfo {
  RoomNid nid{};
  RoomId id;
  const RoomVersion* version = nullptr;
  StateRef state;  // current: (0, state_version)
  std::vector<EventNid> extremities;
  StreamPosition last_position = 0;  // of its newest live event known
  bool resident = false;             // this server has a joined member
  bool published = false;
};
using RoomInfoPtr = std::shared_ptr<const RoomInfo>;

// A local user's relation to a room.
struct RoomMembership {
  RoomNid room{};
  db::Membership membership{};
  EventNid event{};
  StreamPosition position = 0;
  bool forgotten = false;
  std::optional<std::string> stripped_state;
};

class RoomReader {
 public:
  RoomReader(db::Database& database, StreamHub& hub, Interner& interner, EventStore& events, StateStore& states);
  ~RoomReader();

  // nullptr: no such room here. Cached; kept current by the hub.
  Task<RoomInfoPtr> room(RoomId id);
  Task<RoomInfoPtr> room(RoomNid nid);
  // In the order asked; one round trip for all that are not cached.
  Task<std::vector<RoomInfoPtr>> rooms(std::vector<RoomNid> nids);

  // All rooms a local user has a membership row for (left ones included unless forgotten). Cached per user.
  Task<std::shared_ptr<const std::vector<RoomMembership>>> memberships(UserNid user);
  Task<std::optional<RoomMembership>> membership(UserNid user, RoomNid room);

  // State events, now or at a reference. nullptr when the key is not set.
  Task<StoredEventPtr> state_event(RoomNid room, StateRef at, StateKey key);
  Task<std::vector<StoredEventPtr>> state_events(RoomNid room, StateRef at, std::vector<StateKey> keys);
  Task<std::vector<StoredEventPtr>> all_state(RoomNid room, StateRef at);  // a lot for large rooms

  // Members of the current state, from a cache per room that the hub keeps current (bounded, reloaded when dropped).
  struct Member {
    UserId user;
    db::Membership membership{};
    EventNid event{};
  };
  struct Members {
    std::vector<Member> all;  // in no order; every user with a member event
    std::size_t joined = 0, invited = 0;
    std::vector<UserNid> local_joined;
    std::vector<ServerName> joined_servers;  // each once
  };
  Task<std::shared_ptr<const Members>> members(RoomNid room);
  // In the order asked; one round trip for all that are not cached.
  Task<std::vector<std::shared_ptr<const Members>>> members(std::vector<RoomNid> rooms);

  // Membership of any user at a state.
  Task<db::Membership> membership_at(RoomNid room, StateRef at, UserId user);

  // What of a room's state and timeline a local user may read as a whole: members all of it; who left, up to where the
  // last stay ended; anybody the present of a world-readable room. nullopt: nothing (never joined, or forgotten).
  struct Readable {
    StateRef state;
    OrderKey until;        // of the timeline
    bool joined = false;   // is a member now
    bool present = false;  // reads the room as it is now
  };
  Task<std::optional<Readable>> readable(UserNid nid, UserId user, RoomInfoPtr room);

  // The event that ended the last time the user, who is not joined now, was; nullptr: never was.
  Task<StoredEventPtr> end_of_stay(UserId user, RoomMembership now);

  // Which of the events a local user may see, by the state at each event. spec: client-server-api#server-behaviour-5
  // (history visibility). Order kept, what may not be seen left out.
  Task<std::vector<StoredEventPtr>> visible_to(UserId user, RoomInfoPtr room, std::vector<StoredEventPtr> events);

  // The user's membership at each of the events, the change that the event itself makes included; leave where there is
  // none. Live events since the user's last change cost no round trip.
  Task<std::vector<db::Membership>> memberships_at(UserId user, RoomInfoPtr room, std::vector<StoredEventPtr> events);

  // The same for another server. spec: server-server-api#backfilling-and-retrieving-missing-events. What may not be
  // seen is replaced by its redacted form.
  Task<std::vector<EventPtr>> visible_to_server(ServerName server, RoomInfoPtr room,
                                                std::vector<StoredEventPtr> events);
  Task<bool> server_in_room(ServerName server, RoomNid room);  // now

  // m.room.server_acl: false when denied. spec: client-server-api#server-access-control-lists-acls-for-rooms
  Task<bool> acl_allows(ServerName server, RoomNid room);

  // Room aliases of this server.
  Task<RoomInfoPtr> by_alias(RoomAlias alias);
  Task<std::vector<RoomAlias>> aliases(RoomNid room);

  // The room has no row any more, nor what these users had to do with it.
  void forget(const RoomId& id, RoomNid room, const std::vector<UserNid>& users);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
