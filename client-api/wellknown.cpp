#include "client-api/endpoint_tables.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

MatrixError nothing_here() {
  return make_error(ErrorCode::not_found, "This server offers no such discovery information.");
}

// spec: client-server-api#getwell-knownmatrixclient
Task<Result<Response>> get_wellknown(ClientApi& api, Request&) {
  if (api.settings.public_baseurl.empty()) co_return nothing_here();
  boost::json::object homeserver;
  homeserver.emplace("base_url", api.settings.public_baseurl);
  co_return Response::json({{"m.homeserver", std::move(homeserver)}});
}

// spec: server-server-api#getwell-knownmatrixserver
Task<Result<Response>> get_wellknown_server(ClientApi& api, Request&) {
  if (api.settings.federation_address.empty()) co_return nothing_here();
  co_return Response::json({{"m.server", api.settings.federation_address}});
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/.well-known/matrix/client", "getWellknown", Auth::none, RateClass::read, 0, get_wellknown,
     unbounded_work},
    {Verb::get, "/.well-known/matrix/server", "getWellKnown", Auth::none, RateClass::read, 0, get_wellknown_server,
     unbounded_work},
};

}  // namespace

EndpointTable wellknown_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
