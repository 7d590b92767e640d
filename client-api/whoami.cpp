#include "client-api/endpoint_tables.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#get_matrixclientv3accountwhoami
Task<Result<Response>> get_token_owner(ClientApi&, Request& request) {
  const Requester& requester = *request.requester;
  co_return Response::json(
      {{"user_id", requester.user.str()}, {"device_id", requester.device_id}, {"is_guest", false}});
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/account/whoami", "getTokenOwner", Auth::access_token, RateClass::read, 0,
     get_token_owner},
};

}  // namespace

EndpointTable whoami_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
