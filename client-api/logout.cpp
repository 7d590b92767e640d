#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#post_matrixclientv3logout
Task<Result<Response>> logout(ClientApi& api, Request& request) {
  const auto ended = co_await api.accounts.log_out(*request.requester);
  co_return empty_reply(ended);
}

// spec: client-server-api#post_matrixclientv3logoutall
Task<Result<Response>> logout_all(ClientApi& api, Request& request) {
  const auto ended = co_await api.accounts.log_out_all(request.requester->user_nid);
  co_return empty_reply(ended);
}

constexpr auto who_may_end_sessions = Callers::guests | Callers::locked | Callers::suspended;

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/logout", "logout", Auth::access_token, RateClass::write, 16 * kib, logout, nullptr,
     who_may_end_sessions},
    {Verb::post, "/_matrix/client/v3/logout/all", "logout_all", Auth::access_token, RateClass::write, 16 * kib,
     logout_all, nullptr, who_may_end_sessions},
};

}  // namespace

EndpointTable logout_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
