// Events, state and auth chains for servers that miss them.
//
// spec: server-server-api#backfilling-and-retrieving-missing-events, #retrieving-events,
//       #retrieving-event-authorisation-information
#include <charconv>

#include "federation/api.hpp"
#include "federation/history.hpp"
#include "schema/json/object_reader.hpp"

namespace causeway::federation {

namespace {

using namespace http;

constexpr std::size_t max_backfill = 100;
constexpr std::size_t max_missing_events = 50;
constexpr std::size_t max_given_ids = 100;

const EventPtr& event_of(const EventPtr& event) {
  return event;
}
const EventPtr& event_of(const StoredEventPtr& stored) {
  return stored->event;
}

template <class Events>
std::string json_array(const Events& events) {
  std::string out = "[";
  for (const auto& event : events) {
    if (out.size() > 1) out += ',';
    out += event_of(event)->json();
  }
  return out + "]";
}

boost::json::array id_array(const std::vector<StoredEventPtr>& events) {
  boost::json::array out;
  for (const auto& stored : events)
    out.emplace_back(stored->event->id().str());
  return out;
}

// A transaction's envelope around some PDUs. spec: server-server-api#get_matrixfederationv1backfillroomid
Response transaction(const FederationApi& api, const std::vector<EventPtr>& events) {
  std::string body = "{\"origin\":";
  json::append_quoted(body, api.self.name.str());
  body += ",\"origin_server_ts\":" + std::to_string(api.clock.now_ms()) + ",\"pdus\":" + json_array(events) + "}";
  return Response::json_text(std::move(body));
}

MatrixError unknown_event() {
  return make_error(ErrorCode::not_found, 404, "No such event is known here.");
}

// A timeline event of the room, by its ID as text.
Task<Result<StoredEventPtr>> event_in_room(FederationApi& api, RoomInfoPtr room, std::string text) {
  auto id = EventId::parse(text);
  if (!id) co_return id.error();
  auto stored = co_await api.events.by_id(*id);
  if (!stored || stored->room != room->nid || stored->has(db::EventFlags::rejected)) co_return unknown_event();
  co_return stored;
}

// No more than max_given_ids: whoever names more gets what those give.
std::vector<EventId> read_ids(json::ObjectReader& body, std::string_view key) {
  std::vector<EventId> ids;
  const auto* array = body.optional_array(key);
  if (!array) body.fail(make_error(ErrorCode::missing_param, std::string(key) + " is missing."));
  if (!array) return ids;
  for (const auto& value : *array) {
    if (ids.size() == max_given_ids) break;
    if (!value.is_string()) body.fail(make_error(ErrorCode::bad_json, std::string(key) + " must hold event IDs."));
    if (!value.is_string()) break;
    ids.push_back(body.keep(EventId::parse(std::string_view(value.get_string()))));
  }
  return ids;
}

Result<std::size_t> read_limit(const Request& request) {
  const auto text = request.query_parameter("limit");
  if (!text) return make_error(ErrorCode::missing_param, "limit is missing.");
  std::int64_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc{} || end != text->data() + text->size() || limit < 1)
    return make_error(ErrorCode::invalid_param, "limit must be a positive integer.");
  return std::min(static_cast<std::size_t>(limit), max_backfill);
}

// spec: server-server-api#get_matrixfederationv1backfillroomid
Reply backfill_room(FederationApi& api, Request& request) {
  auto room = co_await room_of_origin(api, request, 0);
  if (!room) co_return room.error();
  auto limit = read_limit(request);
  if (!limit) co_return limit.error();
  Walk walk;
  walk.limit = *limit;
  const auto [begin, end] = request.query.equal_range("v");
  for (auto at = begin; at != end && walk.from.size() < max_given_ids; ++at) {
    auto id = EventId::parse(at->second);
    if (!id) co_return id.error();
    walk.from.push_back(std::move(*id));
  }
  if (walk.from.empty()) co_return make_error(ErrorCode::missing_param, "v is missing.");
  auto events = co_await walk_back(api.events, *room, std::move(walk));
  auto visible = co_await api.reader.visible_to_server(*request.origin, *room, std::move(events));
  co_return transaction(api, visible);
}

// spec: server-server-api#post_matrixfederationv1get_missing_eventsroomid
Reply get_missing_previous_events(FederationApi& api, Request& request) {
  auto room = co_await room_of_origin(api, request, 0);
  if (!room) co_return room.error();
  json::ObjectReader body(request.json_object());
  const auto earliest = read_ids(body, "earliest_events");
  auto latest = read_ids(body, "latest_events");
  const std::int64_t limit = body.optional_int("limit").value_or(10);
  Walk walk;
  walk.min_depth = body.optional_int("min_depth").value_or(0);
  if (body.error()) co_return *body.error();

  walk.not_beyond = std::set<EventId>(earliest.begin(), earliest.end());
  walk.limit = static_cast<std::size_t>(std::clamp<std::int64_t>(limit, 1, max_missing_events));
  auto stored = co_await api.events.by_id(std::move(latest));
  std::set<EventId> before;
  for (const auto& event : stored)
    if (event && event->room == (*room)->nid)
      before.insert(event->event->prev_events().begin(), event->event->prev_events().end());
  walk.from.assign(before.begin(), before.end());
  auto events = co_await walk_back(api.events, *room, std::move(walk));
  std::reverse(events.begin(), events.end());
  auto visible = co_await api.reader.visible_to_server(*request.origin, *room, std::move(events));
  co_return Response::json_text("{\"events\":" + json_array(visible) + "}");
}

// spec: server-server-api#get_matrixfederationv1eventeventid
Reply get_event(FederationApi& api, Request& request) {
  auto id = EventId::parse(request.path_parameter(0));
  if (!id) co_return id.error();
  auto stored = co_await api.events.by_id(*id);
  if (!stored || stored->has(db::EventFlags::rejected)) co_return unknown_event();
  auto room = co_await api.reader.room(stored->room);
  if (!room) co_return unknown_event();
  if (!co_await api.reader.server_in_room(*request.origin, room->nid) ||
      !co_await api.reader.acl_allows(*request.origin, room->nid))
    co_return make_error(ErrorCode::forbidden, 403, "Your server is not in the room of this event.");
  std::vector<EventPtr> visible;
  std::vector<StoredEventPtr> one;
  one.push_back(stored);
  if (stored->order)
    visible = co_await api.reader.visible_to_server(*request.origin, room, std::move(one));
  else  // an outlier is known for its part in the room's state, which every server of the room may ask for
    visible.push_back(stored->event);
  co_return transaction(api, visible);
}

struct StateAt {
  std::vector<StoredEventPtr> state, auth_chain;
};

// The state before the event that the query names.
Task<Result<StateAt>> read_state(FederationApi& api, Request& request) {
  auto room = co_await room_of_origin(api, request, 0);
  if (!room) co_return room.error();
  const auto text = request.query_parameter("event_id");
  if (!text) co_return make_error(ErrorCode::missing_param, "event_id is missing.");
  auto stored = co_await event_in_room(api, *room, *text);
  if (!stored) co_return stored.error();
  if (!(*stored)->order) co_return make_error(ErrorCode::not_found, 404, "The state at this event is not known here.");
  StateAt at;
  at.state = co_await api.reader.all_state((*room)->nid, (*stored)->before);
  auto chain = co_await auth_chain_of(api.events, at.state);
  if (!chain) co_return chain.error();
  at.auth_chain = std::move(*chain);
  co_return at;
}

// spec: server-server-api#get_matrixfederationv1stateroomid
Reply get_room_state(FederationApi& api, Request& request) {
  auto at = co_await read_state(api, request);
  if (!at) co_return at.error();
  co_return Response::json_text("{\"auth_chain\":" + json_array(at->auth_chain) + ",\"pdus\":" + json_array(at->state) +
                                "}");
}

// spec: server-server-api#get_matrixfederationv1state_idsroomid
Reply get_room_state_ids(FederationApi& api, Request& request) {
  auto at = co_await read_state(api, request);
  if (!at) co_return at.error();
  boost::json::object body;
  body["auth_chain_ids"] = id_array(at->auth_chain);
  body["pdu_ids"] = id_array(at->state);
  co_return Response::json(body);
}

// spec: server-server-api#get_matrixfederationv1event_authroomideventid
Reply get_event_auth(FederationApi& api, Request& request) {
  auto room = co_await room_of_origin(api, request, 0);
  if (!room) co_return room.error();
  auto stored = co_await event_in_room(api, *room, request.path_parameter(1));
  if (!stored) co_return stored.error();
  std::vector<StoredEventPtr> one;
  one.push_back(*stored);
  auto chain = co_await auth_chain_of(api.events, std::move(one));
  if (!chain) co_return chain.error();
  co_return Response::json_text("{\"auth_chain\":" + json_array(*chain) + "}");
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/federation/v1/backfill/{roomId}", "backfillRoom", Auth::federation, RateClass::federation, 0,
     backfill_room},
    {Verb::post, "/_matrix/federation/v1/get_missing_events/{roomId}", "getMissingPreviousEvents", Auth::federation,
     RateClass::federation, 64 * kib, get_missing_previous_events},
    {Verb::get, "/_matrix/federation/v1/event/{eventId}", "getEvent", Auth::federation, RateClass::federation, 0,
     get_event},
    {Verb::get, "/_matrix/federation/v1/state/{roomId}", "getRoomState", Auth::federation, RateClass::federation, 0,
     get_room_state, heavy_federation_work},
    {Verb::get, "/_matrix/federation/v1/state_ids/{roomId}", "getRoomStateIds", Auth::federation, RateClass::federation,
     0, get_room_state_ids, heavy_federation_work},
    {Verb::get, "/_matrix/federation/v1/event_auth/{roomId}/{eventId}", "getEventAuth", Auth::federation,
     RateClass::federation, 0, get_event_auth, heavy_federation_work},
};

}  // namespace

EndpointTable history_endpoints() {
  return endpoints;
}

}  // namespace causeway::federation
