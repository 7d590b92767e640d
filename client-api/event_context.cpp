#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 200;

// All of it, or with lazy loading no members but the senders'; what the filter refuses left out.
Task<std::vector<StoredEventPtr>> state_for(ClientApi& api, RoomNid room, std::vector<StoredEventPtr> shown,
                                            const RoomEventFilter& filter) {
  const StateRef at = shown.back()->state_after();
  std::vector<StoredEventPtr> state;
  if (filter.lazy_load_members)
    state = co_await api.members.state_with_senders(room, at, std::move(shown));
  else
    state = co_await api.reader.all_state(room, at);
  std::erase_if(state, [&filter](const StoredEventPtr& event) { return !filter.accepts(*event->event); });
  co_return state;
}

// spec: client-server-api#get_matrixclientv3roomsroomidcontexteventid
Task<Result<Response>> get_event_context(ClientApi& api, Request& request) {
  RequestFields fields(request);
  const auto filter = fields.filter();
  const auto limit = fields.limit(default_limit, max_limit);
  if (fields.error()) co_return *fields.error();
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  auto id = fields.event_id(1);
  if (fields.error()) co_return *fields.error();
  const Requester& requester = *request.requester;
  const auto event = co_await api.timelines.visible_event(requester.user, room->info, std::move(id));
  if (!event) co_return no_such_event();
  auto wanted = wanted_by(filter);
  const auto context =
      co_await api.timelines.around(requester.user_nid, requester.user, *room, event, limit, std::move(wanted));
  const auto all = context.all();
  auto state = co_await state_for(api, room->info->nid, all, filter);

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
