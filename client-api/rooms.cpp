// Reading a room: single events, its state, its members.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#get_matrixclientv3roomsroomideventeventid
Task<Result<Response>> get_one_room_event(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto room_id = fields.room_id();
  auto event_id = fields.event_id(1);
  if (fields.error()) co_return *fields.error();
  const RoomInfoPtr room = co_await api.reader.room(std::move(room_id));
  if (!room) co_return no_such_event();
  const auto event = co_await api.timelines.visible_event(request.requester->user, room, std::move(event_id));
  if (!event) co_return no_such_event();
  auto text = co_await api.serializer.object(viewer_of(request), room, event, ClientEventFormat::full);
  co_return Response::json_text(std::move(text));
}

// spec: client-server-api#get_matrixclientv3roomsroomidstate
Task<Result<Response>> get_room_state(ClientApi& api, Request& request) {
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  auto state = co_await api.reader.all_state(room->info->nid, room->readable.state);
  auto text = co_await api.serializer.array(viewer_of(request), room->info, std::move(state), ClientEventFormat::full);
  co_return Response::json_text(std::move(text));
}

// spec: client-server-api#get_matrixclientv3roomsroomidstateeventtypestatekey
Task<Result<Response>> get_room_state_with_key(ClientApi& api, Request& request) {
  const std::string format = request.query_parameter("format").value_or("content");
  if (format != "content" && format != "event")
    co_return make_error(ErrorCode::invalid_param, "'format' must be 'content' or 'event'.");
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  StateKey key{request.path_parameter(1), ""};
  if (request.path_parameters.size() > 2) key.state_key = request.path_parameter(2);
  const StoredEventPtr event = co_await api.reader.state_event(room->info->nid, room->readable.state, std::move(key));
  if (!event) co_return make_error(ErrorCode::not_found, "The room has no state with this type and key.");
  if (format == "content") co_return Response::json_text(std::string(event->event->content_json()));
  auto text = co_await api.serializer.object(viewer_of(request), room->info, event, ClientEventFormat::full);
  co_return Response::json_text(std::move(text));
}

MembershipFilter read_membership_filter(RequestFields& fields) {
  MembershipFilter filter;
  for (auto [key, into] : {std::pair("membership", &filter.is), std::pair("not_membership", &filter.is_not)}) {
    const auto text = fields.query(key);
    if (!text) continue;
    *into = db::parse_membership(*text);
    if (!*into) fields.fail(make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' must be a membership."));
  }
  return filter;
}

// spec: client-server-api#get_matrixclientv3roomsroomidmembers
Task<Result<Response>> get_members_by_room(ClientApi& api, Request& request) {
  RequestFields fields(request);
  const auto filter = read_membership_filter(fields);
  if (fields.error()) co_return *fields.error();
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  std::optional<StateRef> at;
  if (const auto token = fields.query("at")) {
    const Gap place = fields.keep(parse_pagination_token(*token));
    if (fields.error()) co_return *fields.error();
    at = co_await api.timelines.state_at(*room, place);
  }
  auto members = co_await api.members.of(*room, at.value_or(room->readable.state), filter);
  const auto chunk =
      co_await api.serializer.array(viewer_of(request), room->info, std::move(members), ClientEventFormat::full);
  json::ObjectWriter reply;
  reply.member("chunk") += chunk;
  co_return Response::json_text(reply.take());
}

boost::json::object room_member(const Event& event) {
  boost::json::object member;
  if (const auto name = json::find_string(event.content(), "displayname")) member["display_name"] = *name;
  if (const auto avatar = json::find_string(event.content(), "avatar_url")) member["avatar_url"] = *avatar;
  return member;
}

// spec: client-server-api#get_matrixclientv3roomsroomidjoined_members
Task<Result<Response>> get_joined_members_by_room(ClientApi& api, Request& request) {
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  if (!room->readable.joined) co_return make_error(ErrorCode::forbidden, "You aren't a member of the room.");
  MembershipFilter filter;
  filter.is = db::Membership::join;
  const auto members = co_await api.members.of(*room, room->info->state, filter);
  boost::json::object joined;
  for (const StoredEventPtr& event : members)
    joined[*event->event->state_key()] = room_member(*event->event);
  co_return Response::json({{"joined", std::move(joined)}});
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/event/{eventId}", "getOneRoomEvent", Auth::access_token,
     RateClass::read, 0, get_one_room_event},
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/state", "getRoomState", Auth::access_token, RateClass::read, 0,
     get_room_state, heavy_work},
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", "getRoomStateWithKey", Auth::access_token,
     RateClass::read, 0, get_room_state_with_key},
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "getRoomStateWithKey",
     Auth::access_token, RateClass::read, 0, get_room_state_with_key},
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/members", "getMembersByRoom", Auth::access_token, RateClass::read, 0,
     get_members_by_room, heavy_work},
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/joined_members", "getJoinedMembersByRoom", Auth::access_token,
     RateClass::read, 0, get_joined_members_by_room, heavy_work},
};

}  // namespace

EndpointTable rooms_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
