// Everything that changes a room, local or from other servers. Each room has a lane: one job at a time builds on the
// room's head; the head advances in memory at once and the next job builds on it while the first is being committed.
//
// Callers see results only after the commit. All methods are for the reactor thread.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/http/message.hpp"
#include "homeserver/rooms/members/remote_servers.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/lanes.hpp"
#include "homeserver/stream/event_writer.hpp"

namespace causeway {

struct LocalServer {
  ServerName name;
  crypto::SigningKey key;
};

// Who sends, and the client's transaction for idempotency: scope is the device and the request's path.
struct Sender {
  UserNid nid{};
  UserId user;
  DeviceNid device{};  // 0: no device (admin, internal)
  static Sender of(const http::Requester& requester) {
    return {requester.user_nid, requester.user, requester.device_nid};
  }
};

struct SendEvent {
  Sender sender;
  RoomId room;
  std::string type;
  std::optional<std::string> state_key;
  boost::json::object content;
  std::optional<EventId> redacts;               // m.room.redaction
  std::optional<std::string> transaction_path;  // the request's path: same path and device, same event
  std::optional<Timestamp> timestamp;
  std::string transaction_id;  // the client's own, for unsigned.transaction_id
};

struct CreateRoom {
  Sender creator;
  std::string version{default_room_version};
  std::string preset;      // "" : from visibility
  bool published = false;  // visibility "public"
  std::optional<std::string> name, topic, alias_localpart;
  boost::json::object creation_content;
  boost::json::object power_level_override;
  boost::json::array initial_state;
  std::vector<UserId> invite;
  bool is_direct = false;
};

struct UpgradeRoom {
  Sender sender;
  RoomId room;
  std::string version;
  boost::json::array additional_creators;  // user IDs, for versions that know them
};

struct ChangeMembership {
  Sender sender;
  UserId target;
  RoomId room;
  db::Membership membership{};  // invite, join, leave (leave, kick, unban by state), ban
  std::optional<std::string> reason;
  std::vector<ServerName> via;  // servers to try when this server is not in the room
  bool is_direct = false;       // invites
  enum class Kind { invite, join, leave, kick, ban, unban } kind{};
};

// What became of an inbound event.
enum class Received {
  accepted,
  duplicate,  // had it already
  soft_failed,
  rejected,  // stored, never shown
  refused,   // not stored: ACL, unknown room, its auth events can't be had
  missing,   // its prev_events are not here; see missing_prev
};
struct ReceiveOutcome {
  Received result{};
  std::string reason;                 // for refused, rejected, soft_failed
  std::vector<EventId> missing_prev;  // for missing: prev_events not here
  std::vector<EventId> missing_auth;  // for missing: auth_events not here
};

// What a peer tells of an event: the state before it, as IDs of events that are stored here, and where it is a state
// event that is not here, itself.
struct ToldState {
  EventId of;
  std::vector<EventId> before;
  std::optional<VerifiedEvent> event = {};
};

// Beyond these the resolution of a state is not attempted; what needs it is refused.
struct ResolutionBounds {
  std::size_t graph_events = 2'000'000;  // of the room's auth graph that are looked at
  std::size_t judged_events = 100'000;   // that are in dispute
};

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
  struct ResolvedAlias {
    RoomId room_id;
    std::vector<ServerName> servers;
  };
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
  struct Template {
    const RoomVersion* version;
    boost::json::object event;
  };
  Task<Result<Template>> make_membership_template(RoomId room, UserId user, std::string membership,
                                                  std::vector<std::string> supported_versions);
  // send_join: appends, returns the state before the join and its auth chain, all as stored. Of these and of
  // make_membership_template the room's ACL is asked by the caller. M_RESOURCE_LIMIT_EXCEEDED: that is too much.
  struct JoinReply {
    EventPtr event;  // with our signature added where a restricted join needs it
    std::vector<StoredEventPtr> state, auth_chain;
    std::vector<ServerName> servers;
  };
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
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway
