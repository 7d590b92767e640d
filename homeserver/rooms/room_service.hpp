// Everything that changes a room, local or from other servers. Each room has a lane: one job at a time builds on the
// room's head; the head advances in memory at once and the next job builds on it while the first is being committed.
//
// Callers see results only after the commit. All methods are for the reactor thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/rooms/head/event_template.hpp"
#include "homeserver/rooms/members/join_reply.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/rooms/receiving/received.hpp"
#include "homeserver/rooms/remote_servers.hpp"
#include "homeserver/rooms/requests.hpp"
#include "homeserver/rooms/resolution/resolution_bounds.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/lanes.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "homeserver/stream/event_writer.hpp"

namespace causeway {

class RoomService {
 public:
  struct Services {
    db::Database& database;
    EventWriter& writer;
    Interner& interner;
    EventStore& events;
    StateStore& states;
    RoomReader& reader;
    CpuPool& cpu;
    const Clock& clock;
    Metrics& metrics;
    const LocalServer& self;
    UserLanes& account_data_lanes;
    ResolutionBounds bounds = {};
  };
  explicit RoomService(Services services);
  ~RoomService();
  void set_remote(RemoteServers& remote);  // before the first request

  // --- local users ---
  Task<Result<EventId>> send(SendEvent request);
  Task<Result<RoomId>> create_room(CreateRoom request);
  // The new room; again the same one where the same user did so before and is still in it. M_FORBIDDEN,
  // M_UNSUPPORTED_ROOM_VERSION.
  Task<Result<RoomId>> upgrade_room(UpgradeRoom request);
  // Joins, leaves, invites and the rest; over federation where the room or the target is elsewhere.
  Task<Result<>> change_membership(ChangeMembership request);
  Task<Result<>> forget(Sender user, RoomId room);
  // New profile in every joined room. Best effort, room by room.
  Task<> update_profile_in_rooms(Sender user, std::optional<std::string> display_name,
                                 std::optional<std::string> avatar_url);
  Task<Result<>> create_alias(Sender user, RoomAlias alias, RoomId room);
  Task<Result<>> delete_alias(Sender user, RoomAlias alias);
  // In the room directory of this server. M_NOT_FOUND, M_FORBIDDEN.
  Task<Result<>> set_published(Sender user, RoomId room, bool published);
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias);  // remote ones too
  // Fetches history before the last gap at or before a place, so that a page of /messages can be filled. Bounded. An
  // error where more may be had another time; none also where those who answered have nothing that this server lacks.
  Task<Result<>> backfill(RoomInfoPtr room, OrderKey before, std::size_t limit);

  // --- other servers ---

  // Runs the checks of server-server-api#checks-performed-on-receipt-of-a-pdu from the fourth on and appends. Events of
  // one room, in their order; as few commits as can be, usually one. What becomes of one does not depend on
  // the others, but for those that build on it.
  Task<std::vector<ReceiveOutcome>> receive(ServerName origin, RoomId room, std::vector<VerifiedEvent> events);
  Task<ReceiveOutcome> receive(ServerName origin, VerifiedEvent event);
  // The same for an event with prev_events that can't be had. `told` is of each of these (or of the event itself, which
  // stands for all). One that is a state event is part of the state after it, where the state before allows it; then it
  // is stored outside the timeline.
  // What is known here of the state before the event is resolved with what is told, never replaced by it.
  // Received::missing where that does not tell enough or can't be true.
  Task<ReceiveOutcome> receive_with_state(ServerName origin, VerifiedEvent event, std::vector<ToldState> told);
  // Ends when this server is not in the midst of joining the room; until then it does not know the room. False: it was
  // not.
  Task<bool> wait_for_join(RoomId room);
  // Stores events outside the timeline (auth events, state of a snapshot), each judged by its own auth_events. Any
  // order; those whose auth events are not here are left out and returned.
  Task<std::vector<EventId>> add_outliers(RoomId room, const RoomVersion* version, std::vector<VerifiedEvent> events);
  // The state before an event as another server tells it. What of it and of its auth chain was not here is fetched and
  // stored outside the timeline; some of it may be left out.
  Task<Result<std::vector<EventId>>> fetch_state(RoomInfoPtr room, EventId before, ServerName from);

  // make_join, make_leave: what a peer's user may sign; auth events and head are the committed ones.
  // M_NOT_FOUND, M_FORBIDDEN, M_UNABLE_TO_AUTHORISE_JOIN, M_UNABLE_TO_GRANT_JOIN, M_INCOMPATIBLE_ROOM_VERSION.
  Task<Result<EventTemplate>> make_membership_template(RoomId room, UserId user, std::string membership,
                                                       std::vector<std::string> supported_versions);
  // send_join: appends, returns the state before the join and its auth chain, all as stored. Of these and of
  // make_membership_template the room's ACL is asked by the caller. M_RESOURCE_LIMIT_EXCEEDED: that is too much.
  Task<Result<JoinReply>> accept_join(ServerName origin, VerifiedEvent join);
  Task<Result<>> accept_leave(ServerName origin, VerifiedEvent leave);
  // Invite of one of our users by another server: signed by us and returned; the room may be unknown here.
  Task<Result<EventPtr>> accept_invite(ServerName origin, VerifiedEvent invite, boost::json::array stripped_state);
  // What ends the invite of one of our users into a room that this server is not in. Nothing else is taken of such
  // rooms, and this only from the server that invited, for the very invite that the event cites.
  Task<ReceiveOutcome> receive_withdrawal(ServerName origin, VerifiedEvent withdrawal);

  // Deletes what is stored of rooms that all their local users have forgotten, the last of them at least `retention`
  // ago, and goes on with what an earlier life of the process left unfinished. The number of rooms that are gone.
  Task<std::size_t> purge_forgotten_rooms(std::chrono::milliseconds retention);

  // Deletes the transaction identifiers of clients that are older; a retry of one of these is a new request.
  Task<> delete_old_transactions(std::chrono::milliseconds retention);

  // Ends after every job in a lane is done.
  Task<> drain();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
