// Reading a room: single events, its state, its members.
#include <algorithm>

#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"
#include "homeserver/rooms/members/membership.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#get_matrixclientv3roomsroomideventeventid
Task<Result<Response>> get_one_room_event(ClientApi& api, Request& request) {
  auto room_id = room_id_parameter(request);
  if (!room_id) co_return room_id.error();
  auto event_id = event_id_parameter(request, 1);
  if (!event_id) co_return event_id.error();
  const RoomInfoPtr room = co_await api.reader.room(std::move(*room_id));
  const StoredEventPtr event = co_await api.events.by_id(std::move(*event_id));
  if (room && event && event->room == room->nid && event->is_shown()) {
    std::vector<StoredEventPtr> asked(1, event);
    const auto visible = co_await api.reader.visible_to(request.requester->user, room, std::move(asked));
    if (!visible.empty()) {
      auto text = co_await api.serializer.object(viewer_of(request), room, event, ClientEventFormat::full);
      co_return Response::json_text(std::move(text));
    }
  }
  co_return make_error(ErrorCode::not_found, "There is no such event, or you may not see it.");
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

// Which memberships are asked for.
class MembershipFilter {
 public:
  static Result<MembershipFilter> read(const Request& request) {
    MembershipFilter filter;
    for (auto [key, into] : {std::pair("membership", &filter.is_), std::pair("not_membership", &filter.is_not_)}) {
      const auto text = request.query_parameter(key);
      if (!text) continue;
      *into = db::parse_membership(*text);
      if (!*into) return make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' must be a membership.");
    }
    return filter;
  }

  // Both together are an "or".
  bool accepts(db::Membership membership) const {
    if (!is_ && !is_not_) return true;
    return (is_ && membership == *is_) || (is_not_ && membership != *is_not_);
  }

 private:
  std::optional<db::Membership> is_, is_not_;
};

// The state at a place in the timeline, none of it later than what the requester may read.
Task<Result<StateRef>> state_at(ClientApi& api, const ReadableRoom& room, std::string token) {
  const auto at = parse_pagination_token(token);
  if (!at) co_return at.error();
  if (*at > room.readable.until) co_return room.readable.state;
  const auto before = co_await api.events.page(room.info->nid, *at, Direction::backward, 1);
  if (before.empty()) co_return StateRef{};
  co_return before.front()->state_after();
}

Task<std::vector<StoredEventPtr>> members_now(ClientApi& api, RoomNid room, MembershipFilter filter) {
  const auto members = co_await api.reader.members(room);
  std::vector<EventNid> nids;
  for (const RoomReader::Member& member : members->all)
    if (filter.accepts(member.membership)) nids.push_back(member.event);
  auto events = co_await api.events.by_nid(std::move(nids));
  std::erase(events, nullptr);
  co_return events;
}

Task<std::vector<StoredEventPtr>> members_at(ClientApi& api, RoomNid room, StateRef at, MembershipFilter filter) {
  const StateMapPtr state = co_await api.states.at(room, at);
  std::vector<StateKeyNid> keys;
  for (const auto& [key, event] : *state)
    keys.push_back(key);
  const auto names = co_await api.interner.state_key_names(keys);
  std::vector<EventNid> nids;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (names[i].type == "m.room.member") nids.push_back(state->at(keys[i]));
  auto events = co_await api.events.by_nid(std::move(nids));
  std::erase_if(events,
                [&filter](const StoredEventPtr& event) { return !event || !filter.accepts(membership_of(event)); });
  co_return events;
}

// spec: client-server-api#get_matrixclientv3roomsroomidmembers
Task<Result<Response>> get_members_by_room(ClientApi& api, Request& request) {
  const auto filter = MembershipFilter::read(request);
  if (!filter) co_return filter.error();
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  StateRef at = room->readable.state;
  if (auto token = request.query_parameter("at")) {
    const auto asked = co_await state_at(api, *room, std::move(*token));
    if (!asked) co_return asked.error();
    at = *asked;
  }
  const RoomNid nid = room->info->nid;
  // Not `?:`, whose result GCC 12 would destroy twice.
  std::vector<StoredEventPtr> members;
  if (room->readable.present && at == room->info->state)
    members = co_await members_now(api, nid, *filter);
  else
    members = co_await members_at(api, nid, at, *filter);
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
  const auto members = co_await api.reader.members(room->info->nid);
  std::vector<EventNid> nids;
  for (const RoomReader::Member& member : members->all)
    if (member.membership == db::Membership::join) nids.push_back(member.event);
  const auto events = co_await api.events.by_nid(std::move(nids));
  boost::json::object joined;
  for (const StoredEventPtr& event : events)
    if (event) joined[*event->event->state_key()] = room_member(*event->event);
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
