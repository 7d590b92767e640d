// spec: server-server-api#transactions
#include "federation/api.hpp"
#include "federation/foreign_body.hpp"
#include "federation/intake.hpp"

namespace causeway::federation {

namespace {

using namespace http;

Reply send_transaction(FederationApi& api, Request& request) {
  auto body = co_await read_foreign_object(api.cpu, std::move(request.body));
  if (!body) co_return body.error();
  auto reply = co_await api.intake.receive(*request.origin, request.path_parameter(0), std::move(*body));
  if (!reply) co_return reply.error();
  co_return Response::json_text(std::move(*reply));
}

constexpr Endpoint endpoints[] = {
    {Verb::put, "/_matrix/federation/v1/send/{txnId}", "sendTransaction", Auth::federation, RateClass::federation,
     16 * 1024 * kib, send_transaction},
};

}  // namespace

EndpointTable transaction_endpoints() {
  return endpoints;
}

}  // namespace causeway::federation
