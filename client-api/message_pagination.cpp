#include "client-api/endpoint_tables.hpp"
#include "client-api/history.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 1000;

Result<Direction> direction_parameter(const Request& request) {
  const auto text = request.query_parameter("dir");
  if (!text) return make_error(ErrorCode::missing_param, "'dir' is missing.");
  if (*text == "b") return Direction::backward;
  if (*text == "f") return Direction::forward;
  return make_error(ErrorCode::invalid_param, "'dir' must be 'b' or 'f'.");
}

Result<std::optional<Gap>> token_parameter(const Request& request, std::string_view name) {
  const auto text = request.query_parameter(name);
  if (!text || text->empty()) return std::optional<Gap>();
  const auto gap = parse_pagination_token(*text);
  if (!gap) return gap.error();
  return std::optional<Gap>(*gap);
}

// Where reading begins that is told no place: behind the last event, or before the first.
Gap outermost(const ReadableRoom& room, Direction direction) {
  if (direction == Direction::forward) return Gap{};
  if (room.readable.present) return Gap{room.info->last_position, 1};
  return Gap{room.readable.until.anchor, room.readable.until.sub + 1};
}

Result<HistoryRequest> read_request(const Request& request, const ReadableRoom& room, const RoomEventFilter& filter) {
  const auto direction = direction_parameter(request);
  if (!direction) return direction.error();
  const auto from = token_parameter(request, "from");
  if (!from) return from.error();
  const auto to = token_parameter(request, "to");
  if (!to) return to.error();
  const auto limit = limit_parameter(request, default_limit, max_limit);
  if (!limit) return limit.error();
  HistoryRequest history;
  history.direction = *direction;
  history.from = from->value_or(outermost(room, *direction));
  history.to = *to;
  history.limit = std::max<std::size_t>(1, std::min(*limit, filter.limit_or(max_limit, max_limit)));
  return history;
}

// spec: client-server-api#get_matrixclientv3roomsroomidmessages
Task<Result<Response>> get_room_events(ClientApi& api, Request& request) {
  const auto filter = filter_parameter(request);
  if (!filter) co_return filter.error();
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  const auto history = read_request(request, *room, *filter);
  if (!history) co_return history.error();
  HistoryPage page;
  if (filter->rooms.accepts(room->info->id.str()))
    page = co_await read_history(api, *room, *request.requester, *history, *filter);

  const auto viewer = viewer_of(request);
  const auto chunk = co_await api.serializer.array(viewer, room->info, page.events, ClientEventFormat::full);
  json::ObjectWriter reply;
  reply.string_member("start", request.query_parameter("from").value_or(pagination_token(history->from)));
  if (page.next) reply.string_member("end", pagination_token(*page.next));
  reply.member("chunk") += chunk;
  if (filter->lazy_load_members && !page.events.empty()) {
    const StateRef at = page.events.front()->state_after();
    auto members = co_await members_of_senders(api, room->info->nid, at, page.events);
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
