#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"
#include "client-api/session_reply.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::string_view token_stage = "m.login.registration_token";

MatrixError registration_closed() {
  return make_error(ErrorCode::forbidden, "Registration is not open on this server.");
}

// What can be refused before the client authenticates must be.
// spec: client-server-api#post_matrixclientv3register
Task<Result<>> check_wishes(ClientApi& api, RequestFields& fields) {
  const auto username = fields.optional_string("username");
  const auto password = fields.optional_string("password");
  if (fields.error()) co_return *fields.error();
  if (username) {
    const auto available = co_await api.accounts.check_available(*username);
    if (available.has_error()) co_return available.error();
  }
  if (password) co_return api.accounts.check_new_password(*password);
  co_return Result<>();
}

Task<Result<Response>> make_account(ClientApi& api, UiaPassed passed) {
  json::ObjectReader body(std::move(passed.request));
  auto username = body.optional_string("username");
  auto password = body.required_string("password");
  if (body.error()) co_return *body.error();
  if (const auto proof = passed.proofs.find(std::string(token_stage)); proof != passed.proofs.end()) {
    const auto token = json::required_string(proof->second, "token");
    const bool used = co_await api.accounts.use_registration_token(token.value());
    if (!used) co_return make_error(ErrorCode::unauthorized, "The registration token has been used up.");
  }
  AccountService::NewAccount account;
  account.localpart = std::move(username);
  account.password = std::move(password);
  const auto user = co_await api.accounts.register_account(std::move(account));
  if (!user) co_return user.error();
  api.accounts.uia().finish(passed.session);
  co_return co_await registration_reply(api, *user, body.take());
}

// spec: client-server-api#post_matrixclientv3register
Task<Result<Response>> register_account(ClientApi& api, Request& request) {
  const std::string kind = request.query_parameter("kind").value_or("user");
  if (kind == "guest") co_return make_error(ErrorCode::guest_access_forbidden, "This server has no guest accounts.");
  if (kind != "user") co_return make_error(ErrorCode::invalid_param, "kind is \"user\" or \"guest\".");
  RequestFields fields(request);
  fields.read_body();
  if (fields.error()) co_return *fields.error();
  UiaPolicy policy = api.accounts.registration_policy();
  if (policy.flows.empty()) co_return registration_closed();
  const auto acceptable = co_await check_wishes(api, fields);
  if (acceptable.has_error()) co_return acceptable.error();
  auto verdict = co_await api.accounts.uia().authenticate(std::move(policy), fields.members());
  if (!verdict) co_return verdict.error();
  if (const auto* challenge = std::get_if<UiaChallenge>(&*verdict)) co_return Response::json(challenge->body, 401);
  co_return co_await make_account(api, std::get<UiaPassed>(std::move(*verdict)));
}

// spec: client-server-api#get_matrixclientv3registeravailable
Task<Result<Response>> check_username_availability(ClientApi& api, Request& request) {
  const auto username = request.query_parameter("username");
  if (!username) co_return make_error(ErrorCode::missing_param, "The query parameter username is missing.");
  if (api.accounts.registration_policy().flows.empty()) co_return registration_closed();
  const auto available = co_await api.accounts.check_available(*username);
  if (available.has_error()) co_return available.error();
  co_return Response::json({{"available", true}});
}

// spec: client-server-api#get_matrixclientv1registermloginregistration_tokenvalidity
Task<Result<Response>> registration_token_validity(ClientApi& api, Request& request) {
  const auto token = request.query_parameter("token");
  if (!token) co_return make_error(ErrorCode::missing_param, "The query parameter token is missing.");
  if (api.accounts.registration_policy().flows.empty()) co_return registration_closed();
  const bool valid = co_await api.accounts.registration_token_valid(*token);
  co_return Response::json({{"valid", valid}});
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/register", "register", Auth::none, RateClass::login, 16 * kib, register_account},
    {Verb::get, "/_matrix/client/v3/register/available", "checkUsernameAvailability", Auth::none, RateClass::read, 0,
     check_username_availability},
    {Verb::get, "/_matrix/client/v1/register/m.login.registration_token/validity", "registrationTokenValidity",
     Auth::none, RateClass::login, 0, registration_token_validity},
};

}  // namespace

EndpointTable registration_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
