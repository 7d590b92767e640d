#include "homeserver/sync/filter.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#post_matrixclientv3useruseridfilter
Task<Result<Response>> define_filter(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.own_user();
  fields.read_body();
  // A filter that could not be used later is refused now.
  fields.keep(Filter::parse(fields.members()));
  if (fields.error()) co_return *fields.error();
  auto text = boost::json::serialize(fields.members());
  const auto filter_id = co_await api.accounts.add_filter(request.requester->user_nid, std::move(text));
  if (!filter_id) co_return filter_id.error();
  co_return Response::json({{"filter_id", *filter_id}});
}

// spec: client-server-api#get_matrixclientv3useruseridfilterfilterid
Task<Result<Response>> get_filter(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.own_user();
  if (fields.error()) co_return *fields.error();
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
