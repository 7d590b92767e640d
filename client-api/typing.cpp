#include "homeserver/sync/typing.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/joined_room.hpp"
#include "client-api/own_user.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::int64_t default_timeout_ms = 30'000;

// spec: client-server-api#put_matrixclientv3roomsroomidtypinguserid
Task<Result<Response>> set_typing(ClientApi& api, Request& request) {
  const auto own = require_own_user(request, 1);
  if (!own) co_return own.error();
  const auto body = request.json_object();
  if (!body) co_return body.error();
  const auto typing = json::optional_bool(*body, "typing");
  if (!typing) co_return typing.error();
  if (!*typing) co_return make_error(ErrorCode::missing_param, "'typing' is missing.");
  const auto timeout = json::optional_int(*body, "timeout");
  if (!timeout) co_return timeout.error();
  const auto room = co_await require_joined_room(api, request);
  if (!room) co_return room.error();
  const std::chrono::milliseconds lasts(timeout->value_or(default_timeout_ms));
  api.typing.set((*room)->nid, request.requester->user, **typing, lasts, true);
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
