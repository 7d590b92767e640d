#include "homeserver/sync/filter.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/own_user.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#post_matrixclientv3useruseridfilter
Task<Result<Response>> define_filter(ClientApi& api, Request& request) {
  const auto own = require_own_user(request);
  if (own.has_error()) co_return own.error();
  const auto body = request.json_object();
  if (!body) co_return body.error();
  // A filter that could not be used later is refused now.
  const auto filter = Filter::parse(*body);
  if (!filter) co_return filter.error();
  const auto filter_id = co_await api.accounts.add_filter(request.requester->user_nid, boost::json::serialize(*body));
  if (!filter_id) co_return filter_id.error();
  co_return Response::json({{"filter_id", *filter_id}});
}

// spec: client-server-api#get_matrixclientv3useruseridfilterfilterid
Task<Result<Response>> get_filter(ClientApi& api, Request& request) {
  const auto own = require_own_user(request);
  if (own.has_error()) co_return own.error();
  auto filter = co_await api.accounts.filter(request.requester->user_nid, request.path_parameter(1));
  if (!filter) co_return make_error(ErrorCode::not_found, "There is no such filter.");
  co_return Response::json_text(std::move(*filter));
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/user/{userId}/filter", "defineFilter", Auth::access_token, RateClass::write,
     64 * kib, define_filter},
    {Verb::get, "/_matrix/client/v3/user/{userId}/filter/{filterId}", "getFilter", Auth::access_token, RateClass::read,
     0, get_filter},
};

}  // namespace

EndpointTable filter_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
