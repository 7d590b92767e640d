// Others' users join, leave and are invited.
//
// spec: server-server-api#joining-rooms, #inviting-to-a-room, #leaving-rooms-rejecting-invites
#include "federation/api.hpp"
#include "federation/foreign_body.hpp"
#include "federation/remote_rooms.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

using namespace http;

constexpr std::size_t max_stripped_state = 100;
constexpr std::size_t max_invite_bytes = 1024 * kib;  // whole events of the room's state come with it

MatrixError invalid(std::string message) {
  return make_error(ErrorCode::invalid_param, 400, std::move(message));
}

// What is wrong with an event that a request brings. spec: rooms/v6#canonical-json: M_BAD_JSON.
MatrixError refused_event(MatrixError why) {
  if (why.code == ErrorCode::bad_json) return make_error(ErrorCode::bad_json, 400, std::move(why.message));
  return invalid(std::move(why.message));
}

template <class Events>
void append_events(std::string& out, const Events& events) {
  out += '[';
  bool first = true;
  for (const auto& stored : events) {
    if (!std::exchange(first, false)) out += ',';
    out += stored->event->json();
  }
  out += ']';
}

// --- make_join, make_leave ---

Reply make_membership(FederationApi& api, Request& request, std::string membership, std::vector<std::string> versions) {
  auto room = co_await room_open_to_origin(api, request, 0);
  if (!room) co_return room.error();
  auto user = UserId::parse(request.path_parameter(1));
  if (!user) co_return user.error();
  if (user->server() != request.origin->str())
    co_return make_error(ErrorCode::forbidden, 403, "The user is not one of your server's.");
  auto drawn_up =
      co_await api.rooms.make_membership_template((*room)->id, *user, std::move(membership), std::move(versions));
  if (!drawn_up) co_return drawn_up.error();
  boost::json::object body;
  // What is sent back has no `origin`; the template must.
  drawn_up->event["origin"] = api.self.name.str();
  body["room_version"] = drawn_up->version->id;
  body["event"] = std::move(drawn_up->event);
  co_return Response::json(body);
}

// spec: server-server-api#get_matrixfederationv1make_joinroomiduserid
Reply make_join(FederationApi& api, Request& request) {
  std::vector<std::string> versions;
  const auto [begin, end] = request.query.equal_range("ver");
  for (auto at = begin; at != end; ++at)
    versions.push_back(at->second);
  if (versions.empty()) versions.emplace_back("1");
  co_return co_await make_membership(api, request, "join", std::move(versions));
}

// spec: server-server-api#get_matrixfederationv1make_leaveroomiduserid
Reply make_leave(FederationApi& api, Request& request) {
  std::vector<std::string> any_version;
  for (const auto& version : supported_room_versions())
    any_version.emplace_back(version.id);
  co_return co_await make_membership(api, request, "leave", std::move(any_version));
}

// --- send_join, send_leave ---

// An event that is what the path says it is; else M_INVALID_PARAM.
Task<Result<VerifiedEvent>> read_membership_event(FederationApi& api, Request& request, RoomInfoPtr room) {
  // What a user of ours authorises is still to be signed by us.
  std::optional<ServerName> to_be_signed_by;
  if (room->version->has_restricted_joins) to_be_signed_by = api.self.name;
  auto pdu = request.json_object();
  if (!pdu) co_return pdu.error();
  auto checked = co_await api.checker.check(room->version, std::move(*pdu), to_be_signed_by);
  if (!checked) co_return refused_event(std::move(checked.error()));
  const Event& event = *checked->event();
  if (checked->hash_mismatch()) co_return invalid("The content hash of the event does not match.");
  if (event.id().str() != request.path_parameter(1)) co_return invalid("The event has another ID than the path says.");
  if (event.room_id() != room->id) co_return invalid("The event is of another room.");
  co_return std::move(*checked);
}

// What both versions of the endpoint do with a join.
Task<Result<JoinReply>> take_join(FederationApi& api, Request& request) {
  auto room = co_await room_open_to_origin(api, request, 0);
  if (!room) co_return room.error();
  auto event = co_await read_membership_event(api, request, *room);
  if (!event) co_return event.error();
  co_return co_await api.rooms.accept_join(*request.origin, std::move(*event));
}

// spec: server-server-api#put_matrixfederationv2send_joinroomideventid
Reply send_join(FederationApi& api, Request& request) {
  auto joined = co_await take_join(api, request);
  if (!joined) co_return joined.error();
  boost::json::array servers;
  for (const auto& server : joined->servers)
    servers.emplace_back(server.str());
  std::string body = "{\"auth_chain\":";
  append_events(body, joined->auth_chain);
  body += ",\"event\":" + joined->event->json();
  body += ",\"members_omitted\":false,\"servers_in_room\":" + boost::json::serialize(servers) + ",\"state\":";
  append_events(body, joined->state);
  co_return Response::json_text(body + "}");
}

// NOTSPEC: gone from the specification with 1.18, and asked by servers that know no other. The reply is an array of the
// status and the body.
Reply send_join_v1(FederationApi& api, Request& request) {
  auto joined = co_await take_join(api, request);
  if (!joined) co_return joined.error();
  std::string body = "[200,{\"auth_chain\":";
  append_events(body, joined->auth_chain);
  body += ",\"event\":" + joined->event->json() + ",\"state\":";
  append_events(body, joined->state);
  co_return Response::json_text(body + "}]");
}

// What both versions of the endpoint do with a leave.
Task<Result<>> take_leave(FederationApi& api, Request& request) {
  auto room = co_await room_open_to_origin(api, request, 0);
  if (!room) co_return room.error();
  auto event = co_await read_membership_event(api, request, *room);
  if (!event) co_return event.error();
  co_return co_await api.rooms.accept_leave(*request.origin, std::move(*event));
}

// spec: server-server-api#put_matrixfederationv2send_leaveroomideventid
Reply send_leave(FederationApi& api, Request& request) {
  auto left = co_await take_leave(api, request);
  if (!left) co_return left.error();
  co_return Response::empty_object();
}

// NOTSPEC: as send_join_v1.
Reply send_leave_v1(FederationApi& api, Request& request) {
  auto left = co_await take_leave(api, request);
  if (!left) co_return left.error();
  co_return Response::json_text("[200,{}]");
}

// --- invite ---

bool is_create(const boost::json::object& event) {
  return json::find_string(event, "type") == "m.room.create" && json::find_string(event, "state_key") == "";
}

// Of an event only what identifies a room to people.
bool is_stripped(const boost::json::object& event) {
  return !event.contains("signatures") && !event.contains("hashes");
}

// From room version 12 on: the create event must be there, and what is a whole event must be one of this very room.
// NOTSPEC: there are servers that send stripped events still; these prove no more than in earlier versions.
Task<Result<>> check_invite_room_state(FederationApi& api, const RoomVersion* version, RoomId room,
                                       std::vector<boost::json::object> entries) {
  const bool has_create = std::ranges::any_of(entries, is_create);
  std::erase_if(entries, is_stripped);
  auto checked = co_await api.checker.check(version, std::move(entries));
  for (const auto& [id, entry] : checked) {
    if (!entry) co_return invalid("invite_room_state: " + entry.error().message);
    if (entry->event()->room_id() != room) co_return invalid("invite_room_state has an event of another room.");
  }
  if (!has_create) co_return make_error(ErrorCode::missing_param, 400, "invite_room_state has no m.room.create event.");
  co_return Result<>();
}

std::vector<boost::json::object> take_invite_room_state(boost::json::object& from) {
  return take_objects(from, "invite_room_state", max_stripped_state);
}

Task<Result<VerifiedEvent>> read_invite(FederationApi& api, Request& request, const RoomVersion* version,
                                        boost::json::object pdu) {
  auto checked = co_await api.checker.check(version, std::move(pdu));
  if (!checked) co_return refused_event(std::move(checked.error()));
  const Event& event = *checked->event();
  if (checked->hash_mismatch()) co_return invalid("The content hash of the event does not match.");
  if (event.room_id().str() != request.path_parameter(0)) co_return invalid("The event is of another room.");
  if (event.id().str() != request.path_parameter(1)) co_return invalid("The event has another ID than the path says.");
  if (event.membership() != "invite" || !event.state_key()) co_return invalid("The event is not an invite.");
  if (event.sender().server() != request.origin->str()) co_return invalid("The sender is not one of your server's.");
  auto invited = UserId::parse(*event.state_key());
  if (!invited || invited->server() != api.self.name.str()) co_return invalid("The invited user is not one of ours.");
  // Nobody could ever answer or forget the invite.
  auto exists = co_await api.accounts.profile(*invited);
  if (!exists) co_return make_error(ErrorCode::forbidden, 403, "There is no such user here.");
  co_return std::move(*checked);
}

// What both versions of the endpoint do with an invite; the event with our signature.
Task<Result<EventPtr>> take_invite(FederationApi& api, Request& request, const RoomVersion* version,
                                   boost::json::object pdu, std::vector<boost::json::object> room_state) {
  auto room_id = RoomId::parse(request.path_parameter(0));
  if (!room_id) co_return room_id.error();
  auto room = co_await api.reader.room(*room_id);
  if (room) {
    const bool allowed = co_await api.reader.acl_allows(*request.origin, room->nid);
    if (!allowed) co_return make_error(ErrorCode::forbidden, 403, "Your server is denied access to this room.");
  }
  auto event = co_await read_invite(api, request, version, std::move(pdu));
  if (!event) co_return event.error();
  if (version->room_id_is_create_hash) {
    auto state_checked = co_await check_invite_room_state(api, version, *room_id, room_state);
    if (!state_checked) co_return state_checked.error();
  }
  boost::json::array shown(std::make_move_iterator(room_state.begin()), std::make_move_iterator(room_state.end()));
  co_return co_await api.rooms.accept_invite(*request.origin, std::move(*event), std::move(shown));
}

// spec: server-server-api#put_matrixfederationv1inviteroomideventid. The reply is an array of the status and the body.
Reply send_invite_v1(FederationApi& api, Request& request) {
  auto pdu = co_await read_foreign_object(api.cpu, std::move(request.body));
  if (!pdu) co_return pdu.error();
  std::vector<boost::json::object> room_state;
  if (json::find_object(*pdu, "unsigned")) room_state = take_invite_room_state((*pdu)["unsigned"].get_object());
  const auto* version = version_1_or_2(room_state);  // the request does not say
  auto accepted = co_await take_invite(api, request, version, std::move(*pdu), std::move(room_state));
  if (!accepted) co_return accepted.error();
  co_return Response::json_text("[200,{\"event\":" + (*accepted)->json() + "}]");
}

// spec: server-server-api#put_matrixfederationv2inviteroomideventid
Reply send_invite(FederationApi& api, Request& request) {
  auto body = co_await read_foreign_object(api.cpu, std::move(request.body));
  if (!body) co_return body.error();
  auto version_id = json::required_string(*body, "room_version");
  if (!version_id) co_return version_id.error();
  const auto* version = find_room_version(*version_id);
  if (!version) {
    auto error = make_error(ErrorCode::incompatible_room_version, 400, "This server does not know that room version.");
    error.extra["room_version"] = *version_id;
    co_return error;
  }
  auto pdu = json::required_object(*body, "event");
  if (!pdu) co_return pdu.error();
  boost::json::object event = std::move((*body)["event"].get_object());
  auto room_state = take_invite_room_state(*body);
  auto accepted = co_await take_invite(api, request, version, std::move(event), std::move(room_state));
  if (!accepted) co_return accepted.error();
  co_return Response::json_text("{\"event\":" + (*accepted)->json() + "}");
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/federation/v1/make_join/{roomId}/{userId}", "makeJoin", Auth::federation,
     RateClass::federation, 0, make_join},
    {Verb::put, "/_matrix/federation/v1/send_join/{roomId}/{eventId}", "sendJoinV1", Auth::federation,
     RateClass::federation, 128 * kib, send_join_v1, heavy_federation_work},
    {Verb::put, "/_matrix/federation/v2/send_join/{roomId}/{eventId}", "sendJoinV2", Auth::federation,
     RateClass::federation, 128 * kib, send_join, heavy_federation_work},
    {Verb::get, "/_matrix/federation/v1/make_leave/{roomId}/{userId}", "makeLeave", Auth::federation,
     RateClass::federation, 0, make_leave},
    {Verb::put, "/_matrix/federation/v1/send_leave/{roomId}/{eventId}", "sendLeaveV1", Auth::federation,
     RateClass::federation, 128 * kib, send_leave_v1},
    {Verb::put, "/_matrix/federation/v2/send_leave/{roomId}/{eventId}", "sendLeaveV2", Auth::federation,
     RateClass::federation, 128 * kib, send_leave},
    {Verb::put, "/_matrix/federation/v1/invite/{roomId}/{eventId}", "sendInviteV1", Auth::federation,
     RateClass::federation, max_invite_bytes, send_invite_v1},
    {Verb::put, "/_matrix/federation/v2/invite/{roomId}/{eventId}", "sendInviteV2", Auth::federation,
     RateClass::federation, max_invite_bytes, send_invite},
};

}  // namespace

EndpointTable membership_endpoints() {
  return endpoints;
}

}  // namespace causeway::federation
