// Joining and leaving rooms through a server that is in them.
//
// spec: server-server-api#joining-rooms, server-server-api#leaving-rooms-rejecting-invites

#include "federation/remote_rooms.hpp"
#include "federation/request_target.hpp"
#include "homeserver/runtime/phase_timer.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_servers_tried = 8;
constexpr std::size_t max_state_events = 200'000;
constexpr std::chrono::minutes send_join_timeout{3};

MatrixError bad_reply(const ServerName& server, const std::string& why) {
  return make_error(ErrorCode::unknown, 502, "The reply of " + server.str() + " can't be used: " + why);
}

// An event ID or, in rooms of versions 1 and 2, [event_id, {"sha256": hash}]; nothing for the other form. A hash that
// can't be read is left out, as nothing depends on it.
std::optional<EventReference> read_reference(EventFormat format, const boost::json::value& value) {
  if (format == EventFormat::v3) {
    if (!value.is_string()) return std::nullopt;
    auto id = EventId::parse(std::string_view(value.get_string()));
    return id ? std::optional(EventReference(std::move(*id))) : std::nullopt;
  }
  const auto* pair = value.if_array();
  if (!pair || pair->size() != 2 || !(*pair)[0].is_string() || !(*pair)[1].is_object()) return std::nullopt;
  auto id = EventId::parse(std::string_view((*pair)[0].get_string()));
  if (!id) return std::nullopt;
  crypto::Sha256 hash{};
  const auto encoded = json::find_string((*pair)[1].get_object(), "sha256");
  const auto raw = encoded ? crypto::base64_decode(*encoded) : std::nullopt;
  if (raw && raw->size() == hash.size()) std::ranges::copy(*raw, hash.begin());
  return EventReference(std::move(*id), hash);
}

std::optional<std::vector<EventReference>> read_references(EventFormat format, const boost::json::object& from,
                                                           std::string_view key) {
  const auto* array = json::find_array(from, key);
  if (!array) return std::nullopt;
  std::vector<EventReference> references;
  for (const auto& value : *array) {
    auto reference = read_reference(format, value);
    if (!reference) return std::nullopt;
    references.push_back(std::move(*reference));
  }
  return references;
}

// What must be checked before we sign it. spec: server-server-api#get_matrixfederationv1make_joinroomiduserid
bool is_what_was_asked(const boost::json::object& drawn_up, const MembershipTemplate& asked) {
  const auto* content = json::find_object(drawn_up, "content");
  return content && json::find_string(drawn_up, "type") == "m.room.member" &&
         json::find_string(drawn_up, "room_id") == asked.room_id.str() &&
         json::find_string(drawn_up, "sender") == asked.user.str() &&
         json::find_string(drawn_up, "state_key") == asked.user.str() &&
         json::find_string(*content, "membership") == asked.membership;
}

// Our own content; of the peer's only what the rules need. Nothing where it cites events in another version's form.
std::optional<EventDraft> to_draft(const RoomVersion& version, const boost::json::object& drawn_up,
                                   const MembershipTemplate& asked, Timestamp now) {
  EventDraft draft;
  draft.version = &version;
  draft.room_id = asked.room_id;
  draft.sender = asked.user;
  draft.type = "m.room.member";
  draft.state_key = asked.user.str();
  draft.content = asked.content;
  draft.content["membership"] = asked.membership;
  auto via = json::find_string(*json::find_object(drawn_up, "content"), "join_authorised_via_users_server");
  if (via && version.has_restricted_joins) draft.content["join_authorised_via_users_server"] = *via;
  draft.origin_server_ts = now;
  draft.depth = json::find_int(drawn_up, "depth").value_or(1);
  auto prev_events = read_references(version.event_format, drawn_up, "prev_events");
  auto auth_events = read_references(version.event_format, drawn_up, "auth_events");
  if (!prev_events || !auth_events) return std::nullopt;
  draft.prev_events = std::move(*prev_events);
  draft.auth_events = std::move(*auth_events);
  return draft;
}

// The state must be one state of this very room: one event for each key, and the create event that made the room.
std::optional<std::string> flaw(const std::vector<VerifiedEvent>& state, const RoomVersion& version) {
  std::set<std::pair<std::string_view, std::string_view>> keys;
  const Event* create = nullptr;
  for (const auto& verified : state) {
    const Event& event = *verified.event();
    if (!event.is_state()) return "there is an event in the state that is no state event.";
    if (!keys.emplace(event.type(), *event.state_key()).second) return "the state has two events for one key.";
    if (event.is_state("m.room.create", "")) create = &event;
  }
  if (!create) return "the state has no create event of this room.";
  // spec: client-server-api#mroomcreate: a room that does not say is of version 1.
  if (json::find_string(create->content(), "room_version").value_or("1") != version.id)
    return "the create event is of another room version.";
  return std::nullopt;
}

// How much a failure says: what a server says of the room, that it answered, or that it could not be reached.
int weight(const MatrixError& error) {
  if (for_client(error).status != 502) return 2;
  return is_peers_answer(error) ? 1 : 0;
}

void keep_best(std::optional<MatrixError>& best, MatrixError error) {
  if (!best || weight(error) >= weight(*best)) best = std::move(error);
}

MatrixError none_left(std::optional<MatrixError> best) {
  if (best) return for_client(std::move(*best));
  return make_error(ErrorCode::unknown, 502, "No server that is in the room is known.");
}

}  // namespace

Task<Result<RemoteRooms::Prepared>> RemoteRooms::prepare(std::string make_path, MembershipTemplate membership,
                                                         ServerName server) {
  RequestTarget target(make_path);
  target.segment(membership.room_id.str()).segment(membership.user.str());
  if (membership.membership == "join")
    for (const auto& version : supported_room_versions())
      target.query("ver", version.id);
  auto reply = co_await client_.call(get(server, target.str()));
  if (!reply) co_return reply.error();
  const auto told = json::find_string(*reply, "room_version");
  const auto* version = find_room_version(told.value_or("1"));
  if (!version)
    co_return make_error(ErrorCode::unsupported_room_version, "This server does not know the version of that room.");
  const auto* drawn_up = json::find_object(*reply, "event");
  if (!drawn_up || !is_what_was_asked(*drawn_up, membership)) co_return bad_reply(server, "not the event asked for.");
  auto draft = to_draft(*version, *drawn_up, membership, clock_.now_ms());
  if (!draft) co_return bad_reply(server, "not in the format of its room version.");
  auto event = build_event(std::move(*draft), self_.name, self_.key);
  if (!event) co_return bad_reply(server, event.error().message);
  Prepared prepared;
  prepared.version = version;
  prepared.version_is_told = told.has_value();
  prepared.event = std::move(*event);
  co_return prepared;
}

Task<Result<RemoteJoin>> RemoteRooms::join(MembershipTemplate membership, std::vector<ServerName> via) {
  std::optional<MatrixError> best;
  for (auto& server : candidates(std::move(via), self_.name, max_servers_tried)) {
    auto joined = co_await join_through(membership, server);
    if (joined) co_return std::move(*joined);
    log::info("federation: join of {} through {}: {}", membership.room_id.str(), server.str(), joined.error().message);
    const bool final = joined.error().code == ErrorCode::incompatible_room_version;
    keep_best(best, std::move(joined.error()));
    if (final) break;
  }
  co_return none_left(std::move(best));
}

Task<Result<RemoteJoin>> RemoteRooms::join_through(MembershipTemplate membership, ServerName server) {
  PhaseTimer timer = time_remote_join(metrics_);
  auto prepared = co_await prepare("/_matrix/federation/v1/make_join", membership, server);
  if (!prepared) co_return prepared.error();
  timer.end("template");
  RequestTarget target("/_matrix/federation/v2/send_join");
  target.segment(membership.room_id.str()).segment(prepared->event->id().str());
  Call call = get(server, target.str());
  call.verb = http::Verb::put;
  call.body = to_pdu(*prepared->event);
  call.timeout = std::max<std::chrono::milliseconds>(timeout_, send_join_timeout);
  call.max_response_bytes = max_response_bytes_;
  auto text = co_await client_.fetch(std::move(call));
  if (!text) co_return text.error();
  timer.end("fetch");
  auto reply = co_await client_.parse_reply(std::move(*text));
  if (!reply) co_return reply.error();
  timer.end("parse");
  auto joined = co_await read_join_reply(std::move(*prepared), std::move(*reply), server);
  timer.end("verify");
  co_return joined;
}

Task<Result<RemoteJoin>> RemoteRooms::read_join_reply(Prepared prepared, boost::json::object reply, ServerName server) {
  const RoomId room = prepared.event->room_id();
  auto state_pdus = take_objects(reply, "state", max_state_events);
  if (!prepared.version_is_told) prepared.version = version_1_or_2(state_pdus);
  auto state = co_await events_of(room, prepared.version, std::move(state_pdus));
  if (auto why = flaw(state, *prepared.version)) co_return bad_reply(server, *why);
  auto auth_chain = co_await events_of(room, prepared.version, take_objects(reply, "auth_chain", max_state_events));

  // The resident may have added its signature, nothing else.
  auto own = json::parse_object(to_pdu(*prepared.event));
  auto pdu = std::move(*own);
  if (auto* returned = reply.if_contains("event"); returned && returned->is_object())
    pdu = std::move(returned->get_object());
  auto join_event = co_await checker_.check(prepared.version, std::move(pdu));
  if (!join_event) co_return bad_reply(server, join_event.error().message);
  if (join_event->event()->id() != prepared.event->id() || join_event->hash_mismatch())
    co_return bad_reply(server, "the join event is not ours.");
  RemoteJoin joined{prepared.version, std::move(*join_event), std::move(state), std::move(auth_chain), server};
  co_return joined;
}

Task<Result<EventPtr>> RemoteRooms::leave(MembershipTemplate membership, std::vector<ServerName> via) {
  std::optional<MatrixError> best;
  for (auto& server : candidates(std::move(via), self_.name, max_servers_tried)) {
    auto left = co_await leave_through(membership, server);
    if (left) co_return std::move(*left);
    keep_best(best, std::move(left.error()));
  }
  co_return none_left(std::move(best));
}

Task<Result<EventPtr>> RemoteRooms::leave_through(MembershipTemplate membership, ServerName server) {
  auto prepared = co_await prepare("/_matrix/federation/v1/make_leave", membership, server);
  if (!prepared) co_return prepared.error();
  RequestTarget target("/_matrix/federation/v2/send_leave");
  target.segment(membership.room_id.str()).segment(prepared->event->id().str());
  Call call = get(server, target.str());
  call.verb = http::Verb::put;
  call.body = to_pdu(*prepared->event);
  auto reply = co_await client_.call(std::move(call));
  if (!reply) co_return reply.error();
  co_return prepared->event;
}

}  // namespace causeway::federation
