#include "client-api/endpoint_tables.hpp"
#include "client-api/history.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 200;

MatrixError no_such_event() {
  return make_error(ErrorCode::not_found, "There is no such event, or you may not see it.");
}

// The event in the middle, if the requester may see it.
Task<Result<StoredEventPtr>> find_event(ClientApi& api, const Request& request, const ReadableRoom& room) {
  auto id = event_id_parameter(request, 1);
  if (!id) co_return id.error();
  const StoredEventPtr event = co_await api.events.by_id(std::move(*id));
  if (!event || event->room != room.info->nid) co_return no_such_event();
  if (!event->is_shown()) co_return no_such_event();
  std::vector<StoredEventPtr> asked(1, event);
  const auto visible = co_await api.reader.visible_to(request.requester->user, room.info, std::move(asked));
  if (visible.empty()) co_return no_such_event();
  co_return event;
}

// All of it, or with lazy loading no members but the senders'; what the filter refuses left out.
Task<std::vector<StoredEventPtr>> state_for(ClientApi& api, RoomNid room, StateRef at,
                                            std::vector<StoredEventPtr> shown, const RoomEventFilter& filter) {
  auto state = co_await api.reader.all_state(room, at);
  if (filter.lazy_load_members) {
    const auto is_member = [](const StoredEventPtr& event) { return event->event->is("m.room.member"); };
    std::erase_if(state, is_member);
    const auto members = co_await members_of_senders(api, room, at, std::move(shown));
    state.insert(state.end(), members.begin(), members.end());
  }
  std::erase_if(state, [&filter](const StoredEventPtr& event) { return !filter.accepts(*event->event); });
  co_return state;
}

struct Context {
  StoredEventPtr event;
  HistoryPage before, after;

  // In the order of time.
  std::vector<StoredEventPtr> all() const {
    std::vector<StoredEventPtr> events(before.events.rbegin(), before.events.rend());
    events.push_back(event);
    events.insert(events.end(), after.events.begin(), after.events.end());
    return events;
  }
};

Task<Context> read_context(ClientApi& api, const ReadableRoom& room, http::Requester user, StoredEventPtr event,
                           std::size_t limit, const RoomEventFilter& filter) {
  Context context;
  context.event = event;
  HistoryRequest before;
  before.from = gap_before(*event);
  before.direction = Direction::backward;
  before.limit = (limit + 1) / 2;
  if (before.limit > 0) context.before = co_await read_history(api, room, user, before, filter);
  HistoryRequest after;
  after.from = gap_after(*event);
  after.direction = Direction::forward;
  after.limit = limit / 2;
  if (after.limit > 0) context.after = co_await read_history(api, room, user, after, filter);
  co_return context;
}

// spec: client-server-api#get_matrixclientv3roomsroomidcontexteventid
Task<Result<Response>> get_event_context(ClientApi& api, Request& request) {
  const auto filter = filter_parameter(request);
  if (!filter) co_return filter.error();
  const auto limit = limit_parameter(request, default_limit, max_limit);
  if (!limit) co_return limit.error();
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  const auto event = co_await find_event(api, request, *room);
  if (!event) co_return event.error();
  const auto context = co_await read_context(api, *room, *request.requester, *event, *limit, *filter);
  const auto all = context.all();
  auto state = co_await state_for(api, room->info->nid, all.back()->state_after(), all, *filter);

  const auto viewer = viewer_of(request);
  const auto texts = co_await api.serializer.objects(viewer, room->info, all, ClientEventFormat::full);
  const auto state_text = co_await api.serializer.array(viewer, room->info, std::move(state), ClientEventFormat::full);
  const auto middle = texts.begin() + static_cast<std::ptrdiff_t>(context.before.events.size());
  json::ObjectWriter reply;
  reply.string_member("start", pagination_token(gap_before(*all.front())));
  reply.member("events_before") += json::array_text(std::vector(std::make_reverse_iterator(middle), texts.rend()));
  reply.member("event") += *middle;
  reply.member("events_after") += json::array_text(std::vector(middle + 1, texts.end()));
  reply.string_member("end", pagination_token(gap_after(*all.back())));
  reply.member("state") += state_text;
  co_return Response::json_text(reply.take());
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/context/{eventId}", "getEventContext", Auth::access_token,
     RateClass::read, 0, get_event_context, heavy_work},
};

}  // namespace

EndpointTable event_context_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
