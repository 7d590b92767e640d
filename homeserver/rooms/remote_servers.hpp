// What rooms and accounts need of other servers: a seam that federation implements and tests may replace.
//
// Everything that comes back has been fetched, size-checked, and its events' signatures and hashes verified.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "schema/async/task.hpp"
#include "schema/events/event.hpp"
#include "schema/matrix/assert.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// An event from outside whose format, size, signatures and hash have been checked (a wrong content hash leaves the
// redacted form). Only federation's checker makes one; authorisation is still to be judged.
class VerifiedEvent {
 public:
  const EventPtr& event() const { return event_; }
  bool hash_mismatch() const { return hash_mismatch_; }

 private:
  friend class PduChecker;          // federation/pdu_checker.hpp
  friend class TestVerifiedEvents;  // unit tests
  VerifiedEvent(EventPtr event, bool hash_mismatch) : event_(std::move(event)), hash_mismatch_(hash_mismatch) {}
  EventPtr event_;
  bool hash_mismatch_ = false;
};

struct RemoteJoin {
  const RoomVersion* version = nullptr;
  VerifiedEvent join_event;          // as the resident server returned it (it may have added a signature)
  std::vector<VerifiedEvent> state;  // before the join
  std::vector<VerifiedEvent> auth_chain;
  ServerName resident;  // who answered
};

// What federation asks before it signs a membership event of ours that a peer drew up.
struct MembershipTemplate {
  RoomId room_id;
  UserId user;
  std::string membership;       // "join", "leave", "knock"
  boost::json::object content;  // merged into the event's content: reason, displayname, avatar_url
};

struct ResolvedAlias {
  RoomId room_id;
  std::vector<ServerName> servers;
};

class RemoteServers {
 public:
  virtual ~RemoteServers() = default;

  // make_join + send_join over the servers in turn. M_NOT_FOUND, M_FORBIDDEN, M_INCOMPATIBLE_ROOM_VERSION as they
  // answered; M_UNKNOWN 502 when none could be reached.
  virtual Task<Result<RemoteJoin>> join(MembershipTemplate membership, std::vector<ServerName> via) = 0;

  // make_leave + send_leave: declines an invite of, or leaves, a room this server is not in. Returns the event.
  virtual Task<Result<EventPtr>> leave(MembershipTemplate membership, std::vector<ServerName> via) = 0;

  // PUT /invite v2 at the invited user's server. Returns the event with that server's signature added.
  virtual Task<Result<EventPtr>> invite(EventPtr invite, std::vector<EventPtr> stripped_state, ServerName server) = 0;

  virtual Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias) = 0;

  // The whole profile object. spec: server-server-api#get_matrixfederationv1queryprofile
  virtual Task<Result<boost::json::object>> profile(UserId user) = 0;

  // Older events than the given ones, from a server of the room. Any order.
  virtual Task<Result<std::vector<VerifiedEvent>>> backfill(RoomId room, const RoomVersion* version,
                                                            std::vector<EventId> from, std::size_t limit,
                                                            std::vector<ServerName> via) = 0;
  // State before an event and its auth chain, as IDs or whole, and single events.
  struct StateIds {
    std::vector<EventId> state, auth_chain;
  };
  struct State {
    std::vector<VerifiedEvent> state, auth_chain;
  };
  virtual Task<Result<StateIds>> state_ids(RoomId room, EventId at, ServerName from) = 0;
  virtual Task<Result<State>> state(RoomId room, const RoomVersion* version, EventId at, ServerName from) = 0;
  virtual Task<Result<std::vector<VerifiedEvent>>> events(RoomId room, const RoomVersion* version,
                                                          std::vector<EventId> ids, ServerName from) = 0;
};

// The other servers as rooms hold them. Each side needs the other, so they come when both are made.
class BoundRemoteServers {
 public:
  void bind(RemoteServers& servers) { servers_ = &servers; }
  RemoteServers* operator->() const {
    CAUSEWAY_ASSERT(servers_);
    return servers_;
  }

 private:
  RemoteServers* servers_ = nullptr;
};

}  // namespace causeway
