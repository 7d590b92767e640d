#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"
#include "homeserver/sync/receipts.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

std::vector<ReceiptService::Marker> read_markers(RequestFields& fields) {
  std::vector<ReceiptService::Marker> markers;
  for (const char* type : {"m.fully_read", "m.read", "m.read.private"}) {
    auto event = fields.optional_id<EventId>(type, "an event ID");
    if (!event) continue;
    ReceiptService::Marker& marker = markers.emplace_back();
    marker.type = type;
    marker.event = std::move(*event);
  }
  return markers;
}

// spec: client-server-api#post_matrixclientv3roomsroomidread_markers
Task<Result<Response>> set_read_marker(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.read_body();
  auto markers = read_markers(fields);
  if (fields.error()) co_return *fields.error();
  const auto room = co_await require_joined_room(api, request);
  if (!room) co_return room.error();
  const Requester& requester = *request.requester;
  const auto set = co_await api.receipts.set(requester.user_nid, requester.user, *room, std::move(markers));
  co_return empty_reply(set);
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/read_markers", "setReadMarker", Auth::access_token,
     RateClass::write, 4 * kib, set_read_marker},
};

}  // namespace

EndpointTable read_markers_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
