#include "client-api/endpoint_tables.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// Clients decide by these what they need not try first, so the newest is the last before one that clients take to mean
// what is not served: v1.3 threads and relations, v1.11 authenticated media, v1.16 profiles of any field. The old ones
// are there because client libraries refuse a server that names none they know. What is served of later versions has
// names of its own: state_after in /sync, and private read receipts.
constexpr std::string_view versions_json = R"({"versions":[
"r0.0.1","r0.1.0","r0.2.0","r0.3.0","r0.4.0","r0.5.0","r0.6.0","r0.6.1",
"v1.1","v1.2"],
"unstable_features":{"org.matrix.msc4222":true,"org.matrix.msc2285.stable":true}})";

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
