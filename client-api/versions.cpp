#include "client-api/endpoint_tables.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// The old ones are there because client libraries refuse a server that names none they know.
constexpr std::string_view versions_json = R"({"versions":[
"r0.0.1","r0.1.0","r0.2.0","r0.3.0","r0.4.0","r0.5.0","r0.6.0","r0.6.1",
"v1.1","v1.2","v1.3","v1.4","v1.5","v1.6","v1.7","v1.8","v1.9","v1.10",
"v1.11","v1.12","v1.13","v1.14","v1.15","v1.16","v1.17","v1.18","v1.19"],
"unstable_features":{"org.matrix.msc4222":true}})";

// spec: client-server-api#get_matrixclientversions. The same for everyone, so a token makes no difference.
Task<Result<Response>> get_versions(ClientApi&, Request&) {
  co_return Response::json_text(std::string(versions_json));
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/versions", "getVersions", Auth::none, RateClass::read, 0, get_versions,
     unbounded_work},
};

}  // namespace

EndpointTable versions_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
