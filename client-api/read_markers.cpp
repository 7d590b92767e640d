#include "client-api/endpoint_tables.hpp"
#include "client-api/joined_room.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

Result<std::vector<ReceiptService::Marker>> read_markers_of(const json::object& body) {
  std::vector<ReceiptService::Marker> markers;
  for (const char* type : {"m.fully_read", "m.read", "m.read.private"}) {
    const auto text = json::optional_string(body, type);
    if (!text) return text.error();
    if (!*text) continue;
    const auto event = EventId::parse(**text);
    if (!event) return make_error(ErrorCode::invalid_param, "'" + std::string(type) + "' must be an event ID.");
    ReceiptService::Marker& marker = markers.emplace_back();
    marker.type = type;
    marker.event = *event;
  }
  return markers;
}

// spec: client-server-api#post_matrixclientv3roomsroomidread_markers
Task<Result<Response>> set_read_marker(ClientApi& api, Request& request) {
  const auto body = request.json_object();
  if (!body) co_return body.error();
  auto markers = read_markers_of(*body);
  if (!markers) co_return markers.error();
  const auto room = co_await require_joined_room(api, request);
  if (!room) co_return room.error();
  const Requester& requester = *request.requester;
  const auto set = co_await api.receipts.set(requester.user_nid, requester.user, *room, std::move(*markers));
  if (!set) co_return set.error();
  co_return Response::empty_object();
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
