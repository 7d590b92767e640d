#include "homeserver/sync/receipts.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// Absent: none. Anything but a string is M_INVALID_PARAM here, not M_BAD_JSON.
std::optional<std::string> read_thread(RequestFields& fields) {
  const auto* thread = fields.members().if_contains("thread_id");
  if (!thread) return std::nullopt;
  if (thread->is_string() && !thread->get_string().empty()) return std::string(thread->get_string());
  fields.fail(make_error(ErrorCode::invalid_param, "'thread_id' must be a string that is not empty."));
  return std::nullopt;
}

// spec: client-server-api#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
Task<Result<Response>> post_receipt(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.read_body(EmptyBody::is_empty_object);
  auto thread = read_thread(fields);
  auto event = fields.event_id(2);
  if (fields.error()) co_return *fields.error();
  const auto room = co_await require_joined_room(api, request);
  if (!room) co_return room.error();
  const Requester& requester = *request.requester;
  const auto set = co_await api.receipts.set(requester.user_nid, requester.user, *room, request.path_parameter(1),
                                             std::move(event), std::move(thread));
  co_return empty_reply(set);
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
