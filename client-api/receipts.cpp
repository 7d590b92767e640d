#include "homeserver/sync/receipts.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/joined_room.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// Absent: none. Anything but a string is M_INVALID_PARAM here, not M_BAD_JSON.
Result<std::optional<std::string>> thread_of(const json::object& body) {
  const auto* thread = body.if_contains("thread_id");
  if (!thread) return std::optional<std::string>();
  if (!thread->is_string() || thread->get_string().empty())
    return make_error(ErrorCode::invalid_param, "'thread_id' must be a string that is not empty.");
  return std::optional(std::string(thread->get_string()));
}

// spec: client-server-api#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
Task<Result<Response>> post_receipt(ClientApi& api, Request& request) {
  const auto body = request.json_object(true);
  if (!body) co_return body.error();
  auto thread = thread_of(*body);
  if (!thread) co_return thread.error();
  const auto event = EventId::parse(request.path_parameter(2));
  if (!event) co_return make_error(ErrorCode::invalid_param, "This is not an event ID.");
  const auto room = co_await require_joined_room(api, request);
  if (!room) co_return room.error();
  const Requester& requester = *request.requester;
  const auto set = co_await api.receipts.set(requester.user_nid, requester.user, *room, request.path_parameter(1),
                                             *event, std::move(*thread));
  if (!set) co_return set.error();
  co_return Response::empty_object();
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}", "postReceipt", Auth::access_token,
     RateClass::write, 4 * kib, post_receipt},
};

}  // namespace

EndpointTable receipts_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
