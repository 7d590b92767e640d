#include "homeserver/sync/sync_service.hpp"

#include <charconv>

#include "client-api/endpoint_tables.hpp"
#include "homeserver/http/access_token.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

Result<bool> flag(const Request& request, std::string_view name) {
  const auto value = request.query_parameter(name);
  if (!value || *value == "false") return false;
  if (*value == "true") return true;
  return make_error(ErrorCode::invalid_param, "'" + std::string(name) + "' must be true or false.");
}

Result<std::chrono::milliseconds> timeout_of(const Request& request) {
  const auto text = request.query_parameter("timeout");
  if (!text || text->empty()) return std::chrono::milliseconds(0);
  std::int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), milliseconds);
  if (error != std::errc() || end != text->data() + text->size() || milliseconds < 0)
    return make_error(ErrorCode::invalid_param, "'timeout' must be a number of milliseconds.");
  return std::chrono::milliseconds(milliseconds);
}

Result<SyncRequest> read_sync_request(Request& request) {
  SyncRequest sync;
  sync.requester = *request.requester;
  sync.disconnect = &request.disconnect;
  sync.place = &request.place;
  sync.filter = request.query_parameter("filter").value_or("");
  sync.since = request.query_parameter("since");
  // NOTSPEC: some clients send an empty token when they have none.
  if (sync.since && sync.since->empty()) sync.since.reset();
  const auto timeout = timeout_of(request);
  if (!timeout) return timeout.error();
  sync.timeout = *timeout;
  // NOTSPEC: clients in the field still use the name that use_state_after had as a proposal.
  for (auto [name, member] :
       {std::pair{"full_state", &SyncRequest::full_state}, std::pair{"use_state_after", &SyncRequest::use_state_after},
        std::pair{"org.matrix.msc4222.use_state_after", &SyncRequest::use_state_after_unstable}}) {
    const auto value = flag(request, name);
    if (!value) return value.error();
    sync.*member = *value;
  }
  return sync;
}

// M_UNKNOWN_TOKEN once the client has been logged out.
Task<Result<>> check_session(AccountService& accounts, const Request& request) {
  auto token = access_token(request);
  const auto requester = co_await accounts.authenticate_token(std::move(token).value_or(""));
  co_return requester ? Result<>() : Result<>(requester.error());
}

// spec: client-server-api#get_matrixclientv3sync
Task<Result<Response>> sync(ClientApi& api, Request& request) {
  auto sync_request = read_sync_request(request);
  if (!sync_request) co_return sync_request.error();
  sync_request->check_session = [&api, &request] { return check_session(api.accounts, request); };
  auto reply = co_await api.sync.sync(std::move(*sync_request));
  if (!reply) co_return reply.error();
  co_return Response::json_text(std::move(*reply));
}

// All rooms, or what has changed in some.
WorkClass work_of_sync(const Request& request) {
  const auto since = request.query_parameter("since");
  const bool everything = !since || since->empty() || request.query_parameter("full_state") == "true";
  return everything ? WorkClass::heavy : WorkClass::read;
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/sync", "sync", Auth::access_token, RateClass::read, 0, sync, work_of_sync},
};

}  // namespace

EndpointTable sync_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
