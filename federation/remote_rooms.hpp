// Rooms, aliases and profiles of other servers, asked for over federation. Every event that comes back has passed the
// PduChecker and belongs to the room that was asked about.
#pragma once

#include "federation/pdu_checker.hpp"
#include "federation/signed_client.hpp"
#include "homeserver/rooms/remote_servers.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway::federation {

class RemoteRooms final : public RemoteServers {
 public:
  struct Services {
    SignedClient& client;
    PduChecker& checker;
    const Clock& clock;
    const LocalServer& self;
    Metrics& metrics;
  };
  RemoteRooms(Services services, std::chrono::milliseconds timeout, std::size_t max_response_bytes)
      : client_(services.client),
        checker_(services.checker),
        clock_(services.clock),
        self_(services.self),
        metrics_(services.metrics),
        timeout_(timeout),
        max_response_bytes_(max_response_bytes) {}

  Task<Result<RemoteJoin>> join(MembershipTemplate membership, std::vector<ServerName> via) override;
  Task<Result<EventPtr>> leave(MembershipTemplate membership, std::vector<ServerName> via) override;
  Task<Result<EventPtr>> invite(EventPtr invite, std::vector<EventPtr> stripped_state, ServerName server) override;
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias) override;
  Task<Result<boost::json::object>> profile(UserId user) override;
  Task<Result<std::vector<VerifiedEvent>>> backfill(RoomId room, const RoomVersion* version, std::vector<EventId> from,
                                                    std::size_t limit, std::vector<ServerName> via) override;
  Task<Result<StateIds>> state_ids(RoomId room, EventId at, ServerName from) override;
  Task<Result<State>> state(RoomId room, const RoomVersion* version, EventId at, ServerName from) override;
  Task<Result<std::vector<VerifiedEvent>>> events(RoomId room, const RoomVersion* version, std::vector<EventId> ids,
                                                  ServerName from) override;

  // --- for intake alone ---------------------------------------------------------------------------------------------
  // What comes before `latest` and after `earliest`. spec:
  // server-server-api#post_matrixfederationv1get_missing_eventsroomid
  Task<Result<std::vector<VerifiedEvent>>> missing_events(RoomId room, const RoomVersion* version,
                                                          std::vector<EventId> earliest, std::vector<EventId> latest,
                                                          std::size_t limit, ServerName from);
  // The auth chain of an event.
  Task<Result<std::vector<VerifiedEvent>>> event_auth(RoomId room, const RoomVersion* version, EventId of,
                                                      ServerName from);

 private:
  struct Prepared {
    const RoomVersion* version = nullptr;
    bool version_is_told = false;  // else it is 1 or 2, between which only the create event decides
    EventPtr event;
  };
  Task<Result<Prepared>> prepare(std::string make_path, MembershipTemplate membership, ServerName server);
  Task<Result<RemoteJoin>> join_through(MembershipTemplate membership, ServerName server);
  Task<Result<EventPtr>> leave_through(MembershipTemplate membership, ServerName server);
  Task<Result<RemoteJoin>> read_join_reply(Prepared prepared, boost::json::object reply, ServerName server);
  Call put_invite(const char* path, const Event& invite, const ServerName& server) const;
  Task<Result<boost::json::object>> send_invite(EventPtr invite, std::string room_state, ServerName server);
  Task<Result<boost::json::object>> send_invite_v1(EventPtr invite, std::string room_state, ServerName server);
  // Those of the room among the events that pass.
  Task<std::vector<VerifiedEvent>> events_of(RoomId room, const RoomVersion* version,
                                             std::vector<boost::json::object> pdus,
                                             CitationLimits limits = CitationLimits::enforced);
  Call get(const ServerName& server, std::string target) const;

  SignedClient& client_;
  PduChecker& checker_;
  const Clock& clock_;
  const LocalServer& self_;
  Metrics& metrics_;
  const std::chrono::milliseconds timeout_;
  const std::size_t max_response_bytes_;
};

// The servers to ask, each once, without ourselves, at most `limit`.
std::vector<ServerName> candidates(std::vector<ServerName> via, const ServerName& self, std::size_t limit);

// An error as one of our clients may see it: what a peer says of the room, or whatever it was asked for, passes with
// its errcode and status, known here or not. What it says of our request or of us as its client does not, lest ours
// take it for what we say of theirs (and log out); nor does what is no Matrix error. These are M_UNKNOWN 502. spec:
// server-server-api#get_matrixfederationv1make_joinroomiduserid 400
MatrixError for_client(MatrixError error);

// Moves the objects out of an array member of a reply, at most `limit`; what is not an object is left out.
std::vector<boost::json::object> take_objects(boost::json::object& reply, std::string_view key, std::size_t limit);

// Which of the versions 1 and 2 a room has that is one of them, by the create event among these.
const RoomVersion* version_1_or_2(const std::vector<boost::json::object>& state);

}  // namespace causeway::federation
