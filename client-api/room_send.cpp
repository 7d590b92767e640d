// Sending events: messages, state, redactions.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// Room for spaces and escapes that the canonical form of the largest event does without.
constexpr std::size_t body_limit = 4 * max_event_bytes;

// spec: client-server-api#server-behaviour-4 (instant messaging)
Result<> check_message(const SendEvent& send) {
  if (send.type != "m.room.message" || send.state_key) return {};
  if (!json::find_string(send.content, "msgtype"))
    return make_error(ErrorCode::bad_json, "An m.room.message must have a 'msgtype', which is a string.");
  if (!json::find_string(send.content, "body"))
    return make_error(ErrorCode::bad_json, "An m.room.message must have a 'body', which is a string.");
  return {};
}

// The path without API version: r0 and v3 are one endpoint for transaction identifiers.
std::string transaction_path(const Request& request) {
  return request.path.substr(request.path.find("/rooms/"));
}

// NOTSPEC: an empty one is none. Taken as one, it would make every message the same.
Result<> read_transaction(const Request& request, SendEvent& send) {
  send.transaction_id = request.path_parameter(2);
  if (send.transaction_id.empty())
    return make_error(ErrorCode::invalid_param, "The path must end with a transaction identifier.");
  send.transaction_path = transaction_path(request);
  return {};
}

Result<SendEvent> read_event(const Request& request, std::string type, bool empty_is_object = false) {
  auto room = room_id_parameter(request);
  if (!room) return room.error();
  auto content = request.json_object(empty_is_object);
  if (!content) return content.error();
  SendEvent send;
  send.sender = Sender::of(*request.requester);
  send.room = std::move(*room);
  send.type = std::move(type);
  send.content = std::move(*content);
  return send;
}

Task<Result<Response>> answer(ClientApi& api, SendEvent send) {
  const auto sent = co_await api.rooms.send(std::move(send));
  if (!sent) co_return sent.error();
  co_return Response::json({{"event_id", sent->str()}});
}

// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
Task<Result<Response>> send_message(ClientApi& api, Request& request) {
  auto send = read_event(request, request.path_parameter(1));
  if (!send) co_return send.error();
  const auto checked = check_message(*send);
  if (checked.has_error()) co_return checked.error();
  if (const auto read = read_transaction(request, *send); read.has_error()) co_return read.error();
  co_return co_await answer(api, std::move(*send));
}

// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
Task<Result<Response>> set_room_state_with_key(ClientApi& api, Request& request) {
  auto send = read_event(request, request.path_parameter(1));
  if (!send) co_return send.error();
  send->state_key = request.path_parameters.size() > 2 ? request.path_parameter(2) : std::string();
  co_return co_await answer(api, std::move(*send));
}

// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
Task<Result<Response>> redact_event(ClientApi& api, Request& request) {
  auto target = event_id_parameter(request, 1);
  if (!target) co_return target.error();
  auto send = read_event(request, "m.room.redaction", true);
  if (!send) co_return send.error();
  const auto reason = json::optional_string(send->content, "reason");
  if (!reason) co_return reason.error();
  send->redacts = std::move(*target);
  if (const auto read = read_transaction(request, *send); read.has_error()) co_return read.error();
  co_return co_await answer(api, std::move(*send));
}

constexpr Endpoint endpoints[] = {
    {Verb::put, "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}", "sendMessage", Auth::access_token,
     RateClass::message, body_limit, send_message},
    {Verb::put, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", "setRoomStateWithKey", Auth::access_token,
     RateClass::message, body_limit, set_room_state_with_key},
    {Verb::put, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "setRoomStateWithKey",
     Auth::access_token, RateClass::message, body_limit, set_room_state_with_key},
    {Verb::put, "/_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}", "redactEvent", Auth::access_token,
     RateClass::message, body_limit, redact_event},
};

}  // namespace

EndpointTable room_send_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
