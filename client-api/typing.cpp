#include "homeserver/sync/typing.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::int64_t default_timeout_ms = 30'000;

// spec: client-server-api#put_matrixclientv3roomsroomidtypinguserid
Task<Result<Response>> set_typing(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.own_user(1);
  fields.read_body();
  const auto typing = fields.optional_bool("typing");
  if (!typing) fields.fail(make_error(ErrorCode::missing_param, "'typing' is missing."));
  const std::chrono::milliseconds lasts(fields.optional_int("timeout").value_or(default_timeout_ms));
  if (fields.error()) co_return *fields.error();
  const auto room = co_await require_joined_room(api, request);
  if (!room) co_return room.error();
  api.typing.set((*room)->nid, request.requester->user, *typing, lasts, true);
  co_return Response::empty_object();
}

constexpr Endpoint endpoints[] = {
    {Verb::put, "/_matrix/client/v3/rooms/{roomId}/typing/{userId}", "setTyping", Auth::access_token, RateClass::write,
     4 * kib, set_typing},
};

}  // namespace

EndpointTable typing_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
