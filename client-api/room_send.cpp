// Sending events: messages, state, redactions.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// Room for spaces and escapes that the canonical form of the largest event does without.
constexpr std::size_t body_limit = 4 * max_event_bytes;

// spec: client-server-api#server-behaviour-4 (instant messaging)
void check_message(RequestFields& fields, const std::string& type) {
  if (type != "m.room.message") return;
  for (const std::string key : {"msgtype", "body"})
    if (!json::find_string(fields.members(), key))
      fields.fail(make_error(ErrorCode::bad_json, "An m.room.message must have a '" + key + "', which is a string."));
}

// The path without API version: r0 and v3 are one endpoint for transaction identifiers.
std::string transaction_path(const Request& request) {
  return request.path.substr(request.path.find("/rooms/"));
}

// NOTSPEC: an empty one is none. Taken as one, it would make every message the same.
void read_transaction(RequestFields& fields, const Request& request, SendEvent& send) {
  send.transaction_id = request.path_parameter(2);
  if (send.transaction_id.empty())
    fields.fail(make_error(ErrorCode::invalid_param, "The path must end with a transaction identifier."));
  send.transaction_path = transaction_path(request);
}

// All but the content, which is the body that has been read then.
SendEvent read_event(RequestFields& fields, const Request& request, std::string type,
                     EmptyBody empty = EmptyBody::is_wrong) {
  SendEvent send;
  send.sender = Sender::of(*request.requester);
  send.room = fields.room_id();
  send.type = std::move(type);
  fields.read_body(empty);
  return send;
}

Task<Result<Response>> answer(ClientApi& api, RequestFields& fields, SendEvent send) {
  if (fields.error()) co_return *fields.error();
  send.content = fields.take();
  const auto sent = co_await api.rooms.send(std::move(send));
  if (!sent) co_return sent.error();
  co_return Response::json({{"event_id", sent->str()}});
}

// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
Task<Result<Response>> send_message(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto send = read_event(fields, request, request.path_parameter(1));
  check_message(fields, send.type);
  read_transaction(fields, request, send);
  co_return co_await answer(api, fields, std::move(send));
}

// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
Task<Result<Response>> set_room_state_with_key(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto send = read_event(fields, request, request.path_parameter(1));
  send.state_key = request.path_parameters.size() > 2 ? request.path_parameter(2) : std::string();
  co_return co_await answer(api, fields, std::move(send));
}

// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
Task<Result<Response>> redact_event(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto target = fields.event_id(1);
  auto send = read_event(fields, request, "m.room.redaction", EmptyBody::is_empty_object);
  fields.optional_string("reason");
  send.redacts = std::move(target);
  read_transaction(fields, request, send);
  co_return co_await answer(api, fields, std::move(send));
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
