#include "federation/remote_rooms.hpp"

#include "federation/request_target.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_backfill_servers = 5;
constexpr std::size_t max_event_fetches = 8;       // side by side
constexpr std::size_t max_state_events = 200'000;  // of one reply
constexpr std::size_t max_alias_servers = 100;
constexpr std::size_t max_invite_bytes = 256 * 1024;  // one event with its signatures
constexpr std::size_t max_profile_bytes = 64 * 1024;

MatrixError bad_reply(const ServerName& server, const std::string& why) {
  return make_error(ErrorCode::unknown, 502, "The reply of " + server.str() + " can't be used: " + why);
}

// As opposed to not having said anything, now.
bool says_it_has_none(const MatrixError& error) {
  return error.status >= 400 && error.status < 500 && is_peers_answer(error);
}

boost::json::array to_array(const std::vector<EventId>& ids) {
  boost::json::array out;
  for (const auto& id : ids)
    out.emplace_back(id.str());
  return out;
}

Result<std::vector<EventId>> read_ids(const boost::json::object& reply, std::string_view key,
                                      const ServerName& server) {
  const auto* array = json::find_array(reply, key);
  if (!array || array->size() > max_state_events)
    return bad_reply(server, std::string(key) + " is missing or too long.");
  std::vector<EventId> ids;
  ids.reserve(array->size());
  for (const auto& value : *array) {
    auto id = value.is_string() ? EventId::parse(std::string_view(value.get_string()))
                                : Result<EventId>(bad_reply(server, "an event ID is not a string."));
    if (!id) return bad_reply(server, id.error().message);
    ids.push_back(std::move(*id));
  }
  return ids;
}

}  // namespace

std::vector<ServerName> candidates(std::vector<ServerName> via, const ServerName& self, std::size_t limit) {
  std::vector<ServerName> out;
  for (auto& server : via)
    if (out.size() < limit && server != self && std::find(out.begin(), out.end(), server) == out.end())
      out.push_back(std::move(server));
  return out;
}

MatrixError for_client(MatrixError error) {
  const bool refused = error.status >= 400 && error.status < 500 && error.status != 401 && is_peers_answer(error);
  switch (error.code) {
    case ErrorCode::bad_json:
    case ErrorCode::not_json:
    case ErrorCode::missing_param:
    case ErrorCode::missing_token:
    case ErrorCode::unknown_token:
    case ErrorCode::unauthorized:
    case ErrorCode::unrecognized:
    case ErrorCode::user_deactivated:
      break;
    case ErrorCode::unknown:
      if (refused && error.extra.contains("errcode")) return error;
      if (error.status == 403) return make_error(ErrorCode::forbidden, 403, std::move(error.message));
      break;
    default:
      if (refused) return error;
  }
  return make_error(ErrorCode::unknown, 502, std::move(error.message));
}

std::vector<boost::json::object> take_objects(boost::json::object& reply, std::string_view key, std::size_t limit) {
  std::vector<boost::json::object> out;
  auto* found = reply.if_contains(key);
  if (!found || !found->is_array()) return out;
  for (auto& value : found->get_array())
    if (value.is_object() && out.size() < limit) out.push_back(std::move(value.get_object()));
  return out;
}

const RoomVersion* version_1_or_2(const std::vector<boost::json::object>& state) {
  const auto is_create_of_version_2 = [](const boost::json::object& event) {
    const auto* content = json::find_object(event, "content");
    return content && json::find_string(event, "type") == "m.room.create" &&
           json::find_string(*content, "room_version") == "2";
  };
  return find_room_version(std::ranges::any_of(state, is_create_of_version_2) ? "2" : "1");
}

Call RemoteRooms::get(const ServerName& server, std::string target) const {
  Call call;
  call.server = server;
  call.target = std::move(target);
  call.timeout = timeout_;
  return call;
}

Task<std::vector<VerifiedEvent>> RemoteRooms::events_of(RoomId room, const RoomVersion* version,
                                                        std::vector<boost::json::object> pdus, CitationLimits limits) {
  auto events = co_await checker_.passing(version, std::move(pdus), limits);
  std::erase_if(events, [&](const VerifiedEvent& verified) { return verified.event()->room_id() != room; });
  co_return events;
}

// spec: server-server-api#inviting-to-a-room
Task<Result<EventPtr>> RemoteRooms::invite(EventPtr invite, std::vector<EventPtr> stripped_state, ServerName server) {
  std::string room_state = "[";
  for (const auto& event : stripped_state) {
    if (room_state.size() > 1) room_state += ',';
    room_state += event->json();
  }
  room_state += ']';
  auto reply = co_await send_invite(invite, room_state, server);
  const bool may_be_older = !reply && invite->version().event_format == EventFormat::v1 &&
                            (reply.error().status == 400 || reply.error().status == 404);
  if (may_be_older) reply = co_await send_invite_v1(invite, std::move(room_state), server);
  if (!reply) co_return for_client(std::move(reply.error()));

  auto* signed_event = reply->if_contains("event");
  if (!signed_event || !signed_event->is_object()) co_return bad_reply(server, "it has no event.");
  auto checked = co_await checker_.check(&invite->version(), std::move(signed_event->get_object()));
  if (!checked) co_return bad_reply(server, checked.error().message);
  if (checked->event()->id() != invite->id() || checked->hash_mismatch()) co_return bad_reply(server, "another event.");
  co_return checked->event();
}

Call RemoteRooms::put_invite(const char* path, const Event& invite, const ServerName& server) const {
  RequestTarget target(path);
  target.segment(invite.room_id().str()).segment(invite.id().str());
  Call call = get(server, target.str());
  call.verb = http::Verb::put;
  call.max_response_bytes = max_invite_bytes;
  return call;
}

// spec: server-server-api#put_matrixfederationv2inviteroomideventid
Task<Result<boost::json::object>> RemoteRooms::send_invite(EventPtr invite, std::string room_state, ServerName server) {
  Call call = put_invite("/_matrix/federation/v2/invite", *invite, server);
  // Canonical by its order: the events are canonical already.
  std::string body = "{\"event\":" + invite->json() + ",\"invite_room_state\":" + room_state + ",\"room_version\":";
  json::append_quoted(body, invite->version().id);
  call.body = body + "}";
  co_return co_await client_.call(std::move(call));
}

// For servers that know no other. spec: server-server-api#put_matrixfederationv1inviteroomideventid
Task<Result<boost::json::object>> RemoteRooms::send_invite_v1(EventPtr invite, std::string room_state,
                                                              ServerName server) {
  Call call = put_invite("/_matrix/federation/v1/invite", *invite, server);
  std::string body = invite->json();
  body.pop_back();  // canonical still: `unsigned` comes after what an invite has
  call.body = body + ",\"unsigned\":{\"invite_room_state\":" + room_state + "}}";
  auto text = co_await client_.fetch(std::move(call));
  if (!text) co_return text.error();
  auto reply = json::parse(*text);  // [200, {...}]
  auto* pair = reply ? reply->if_array() : nullptr;
  if (!pair || pair->size() != 2 || !(*pair)[1].is_object()) co_return bad_reply(server, "no pair of status and body.");
  co_return std::move((*pair)[1].get_object());
}

// spec: server-server-api#get_matrixfederationv1querydirectory
Task<Result<ResolvedAlias>> RemoteRooms::resolve_alias(RoomAlias alias) {
  auto server = ServerName::parse(alias.server());
  if (!server) co_return server.error();
  RequestTarget target("/_matrix/federation/v1/query/directory");
  target.query("room_alias", alias.str());
  auto reply = co_await client_.call(get(*server, target.str()));
  if (!reply) co_return for_client(std::move(reply.error()));
  auto room = RoomId::parse(json::find_string(*reply, "room_id").value_or(""));
  const auto* servers = json::find_array(*reply, "servers");
  if (!room || !servers) co_return bad_reply(*server, "room_id or servers is missing.");
  ResolvedAlias resolved;
  resolved.room_id = std::move(*room);
  for (const auto& value : *servers) {
    if (!value.is_string() || resolved.servers.size() == max_alias_servers) continue;
    if (auto name = ServerName::parse(std::string_view(value.get_string())))
      resolved.servers.push_back(std::move(*name));
  }
  if (resolved.servers.empty()) resolved.servers.push_back(*server);
  co_return resolved;
}

// spec: server-server-api#get_matrixfederationv1queryprofile
Task<Result<boost::json::object>> RemoteRooms::profile(UserId user) {
  auto server = ServerName::parse(user.server());
  if (!server) co_return server.error();
  RequestTarget target("/_matrix/federation/v1/query/profile");
  target.query("user_id", user.str());
  Call call = get(*server, target.str());
  call.max_response_bytes = max_profile_bytes;
  auto reply = co_await client_.call(std::move(call));
  if (!reply) co_return for_client(std::move(reply.error()));
  co_return std::move(*reply);
}

// spec: server-server-api#get_matrixfederationv1backfillroomid
Task<Result<std::vector<VerifiedEvent>>> RemoteRooms::backfill(RoomId room, const RoomVersion* version,
                                                               std::vector<EventId> from, std::size_t limit,
                                                               std::vector<ServerName> via) {
  RequestTarget target("/_matrix/federation/v1/backfill");
  target.segment(room.str());
  for (const auto& id : from)
    target.query("v", id.str());
  target.query("limit", std::to_string(limit));
  auto last = make_error(ErrorCode::not_found, "No server of the room could be asked for older events.");
  for (auto& server : candidates(std::move(via), self_.name, max_backfill_servers)) {
    auto reply = co_await client_.call(get(server, target.str()));
    if (!reply) {
      last = for_client(std::move(reply.error()));
      continue;
    }
    // What was accepted before there were these limits is history all the same: the reply is not held to them.
    auto events = co_await events_of(room, version, take_objects(*reply, "pdus", limit), CitationLimits::lifted);
    if (!events.empty()) co_return events;
  }
  co_return last;
}

// spec: server-server-api#get_matrixfederationv1state_idsroomid
Task<Result<RemoteServers::StateIds>> RemoteRooms::state_ids(RoomId room, EventId at, ServerName from) {
  RequestTarget target("/_matrix/federation/v1/state_ids");
  target.segment(room.str()).query("event_id", at.str());
  Call call = get(from, target.str());
  call.max_response_bytes = max_response_bytes_;
  auto reply = co_await client_.call(std::move(call));
  if (!reply) co_return reply.error();
  auto state = read_ids(*reply, "pdu_ids", from);
  if (!state) co_return state.error();
  auto chain = read_ids(*reply, "auth_chain_ids", from);
  if (!chain) co_return chain.error();
  StateIds ids;
  ids.state = std::move(*state);
  ids.auth_chain = std::move(*chain);
  co_return ids;
}

// spec: server-server-api#get_matrixfederationv1stateroomid
Task<Result<RemoteRooms::State>> RemoteRooms::state(RoomId room, const RoomVersion* version, EventId at,
                                                    ServerName from) {
  RequestTarget target("/_matrix/federation/v1/state");
  target.segment(room.str()).query("event_id", at.str());
  Call call = get(from, target.str());
  call.max_response_bytes = max_response_bytes_;
  auto reply = co_await client_.call(std::move(call));
  if (!reply) co_return reply.error();
  State out;
  out.state = co_await events_of(room, version, take_objects(*reply, "pdus", max_state_events));
  out.auth_chain = co_await events_of(room, version, take_objects(*reply, "auth_chain", max_state_events));
  co_return out;
}

// spec: server-server-api#get_matrixfederationv1eventeventid
Task<Result<std::vector<VerifiedEvent>>> RemoteRooms::events(RoomId room, const RoomVersion* version,
                                                             std::vector<EventId> ids, ServerName from) {
  auto wanted = std::make_shared<std::vector<EventId>>(std::move(ids));
  auto found = std::make_shared<std::vector<boost::json::object>>();
  auto failure = std::make_shared<std::optional<MatrixError>>();
  std::function<Task<>(std::size_t)> job = [this, wanted, found, failure, from](std::size_t index) -> Task<> {
    if (*failure) co_return;
    RequestTarget target("/_matrix/federation/v1/event");
    target.segment((*wanted)[index].str());
    auto reply = co_await client_.call(get(from, target.str()));
    if (!reply) {
      log::debug("federation: event {} from {}: {}", (*wanted)[index].str(), from.str(), reply.error().message);
      if (!says_it_has_none(reply.error())) *failure = std::move(reply.error());
      co_return;
    }
    for (auto& pdu : take_objects(*reply, "pdus", 1))
      found->push_back(std::move(pdu));
  };
  const std::size_t count = wanted->size();
  co_await for_each_concurrently(count, max_event_fetches, std::move(job));
  if (*failure) co_return std::move(**failure);
  auto events = co_await events_of(room, version, std::move(*found));
  const std::set<EventId> asked(wanted->begin(), wanted->end());
  std::erase_if(events, [&](const VerifiedEvent& verified) { return !asked.contains(verified.event()->id()); });
  co_return events;
}

// spec: server-server-api#post_matrixfederationv1get_missing_eventsroomid
Task<Result<std::vector<VerifiedEvent>>> RemoteRooms::missing_events(RoomId room, const RoomVersion* version,
                                                                     std::vector<EventId> earliest,
                                                                     std::vector<EventId> latest, std::size_t limit,
                                                                     ServerName from) {
  RequestTarget target("/_matrix/federation/v1/get_missing_events");
  target.segment(room.str());
  boost::json::object body;
  body["earliest_events"] = to_array(earliest);
  body["latest_events"] = to_array(latest);
  body["limit"] = limit;
  Call call = get(from, target.str());
  call.verb = http::Verb::post;
  call.body = json::canonical(body);
  auto reply = co_await client_.call(std::move(call));
  if (!reply) co_return reply.error();
  co_return co_await events_of(room, version, take_objects(*reply, "events", limit));
}

// spec: server-server-api#get_matrixfederationv1event_authroomideventid
Task<Result<std::vector<VerifiedEvent>>> RemoteRooms::event_auth(RoomId room, const RoomVersion* version, EventId of,
                                                                 ServerName from) {
  RequestTarget target("/_matrix/federation/v1/event_auth");
  target.segment(room.str()).segment(of.str());
  Call call = get(from, target.str());
  call.max_response_bytes = max_response_bytes_;
  auto reply = co_await client_.call(std::move(call));
  if (!reply) co_return reply.error();
  co_return co_await events_of(room, version, take_objects(*reply, "auth_chain", max_state_events));
}

}  // namespace causeway::federation
