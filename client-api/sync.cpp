#include "homeserver/sync/sync_service.hpp"

#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"
#include "client-api/room_requests.hpp"
#include "homeserver/http/access_token.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// The client behind a request. While it waits, others have the request's place.
class RequestCaller final : public SyncCaller {
 public:
  explicit RequestCaller(Request& request) : request_(request) {}

  void when_gone(std::function<void()> callback) override { request_.disconnect.notify(std::move(callback)); }
  bool gone() const override { return request_.disconnect.happened(); }
  void begin_wait() override { request_.place.leave(); }
  Task<> end_wait() override {
    if (!request_.place.try_enter_again()) co_await request_.place.enter_again();
  }

 private:
  Request& request_;
};

SyncRequest read_sync_request(RequestFields& fields, const Request& request) {
  SyncRequest sync;
  sync.viewer = viewer_of(request);
  sync.filter = fields.query("filter").value_or("");
  sync.since = fields.query("since");
  // NOTSPEC: some clients send an empty token when they have none.
  if (sync.since && sync.since->empty()) sync.since.reset();
  sync.timeout = fields.timeout();
  sync.full_state = fields.query_flag("full_state");
  sync.use_state_after = fields.query_flag("use_state_after");
  // NOTSPEC: clients in the field still use the name that it had as a proposal.
  sync.use_state_after_unstable = fields.query_flag("org.matrix.msc4222.use_state_after");
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
  RequestFields fields(request);
  auto wanted = read_sync_request(fields, request);
  if (fields.error()) co_return *fields.error();
  RequestCaller caller(request);
  wanted.caller = &caller;
  wanted.check_session = [&api, &request] { return check_session(api.accounts, request); };
  auto reply = co_await api.sync.sync(std::move(wanted));
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
