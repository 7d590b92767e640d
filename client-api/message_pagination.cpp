#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 1000;

Direction read_direction(RequestFields& fields) {
  const auto text = fields.query("dir");
  if (!text)
    fields.fail(make_error(ErrorCode::missing_param, "'dir' is missing."));
  else if (*text != "b" && *text != "f")
    fields.fail(make_error(ErrorCode::invalid_param, "'dir' must be 'b' or 'f'."));
  return text == "f" ? Direction::forward : Direction::backward;
}

// Where reading begins that is told no place: behind the last event, or before the first.
Gap outermost(const ReadableRoom& room, Direction direction) {
  if (direction == Direction::forward) return Gap{};
  if (room.readable.present) return Gap{room.info->last_position, 1};
  return Gap{room.readable.until.anchor, room.readable.until.sub + 1};
}

TimelineRequest read_request(RequestFields& fields, const ReadableRoom& room, const RoomEventFilter& filter) {
  TimelineRequest wanted;
  wanted.direction = read_direction(fields);
  wanted.from = fields.place("from").value_or(outermost(room, wanted.direction));
  wanted.to = fields.place("to");
  const std::size_t limit = fields.limit(default_limit, max_limit);
  wanted.limit = std::max<std::size_t>(1, std::min(limit, filter.limit_or(max_limit, max_limit)));
  wanted.wanted = wanted_by(filter);
  return wanted;
}

// spec: client-server-api#get_matrixclientv3roomsroomidmessages
Task<Result<Response>> get_room_events(ClientApi& api, Request& request) {
  RequestFields fields(request);
  const auto filter = fields.filter();
  if (fields.error()) co_return *fields.error();
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  auto wanted = read_request(fields, *room, filter);
  if (fields.error()) co_return *fields.error();
  const Gap from = wanted.from;
  const Requester& requester = *request.requester;
  TimelinePage page;
  if (filter.rooms.accepts(room->info->id.str()))
    page = co_await api.timelines.page(requester.user_nid, requester.user, *room, std::move(wanted));

  const auto viewer = viewer_of(request);
  const auto chunk = co_await api.serializer.array(viewer, room->info, page.events, ClientEventFormat::full);
  json::ObjectWriter reply;
  reply.string_member("start", request.query_parameter("from").value_or(pagination_token(from)));
  if (page.next) reply.string_member("end", pagination_token(*page.next));
  reply.member("chunk") += chunk;
  if (filter.lazy_load_members && !page.events.empty()) {
    const StateRef at = page.events.front()->state_after();
    auto members = co_await api.members.senders(room->info->nid, at, page.events);
    const auto state = co_await api.serializer.array(viewer, room->info, std::move(members), ClientEventFormat::full);
    reply.member("state") += state;
  }
  co_return Response::json_text(reply.take());
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/messages", "getRoomEvents", Auth::access_token, RateClass::read, 0,
     get_room_events, remote_work},
};

}  // namespace

EndpointTable message_pagination_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
