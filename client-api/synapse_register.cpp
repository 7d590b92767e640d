// NOTSPEC: the registration API of Synapse's administrators, because tools and test suites make their accounts with it.
#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"
#include "client-api/session_reply.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

MatrixError not_offered() {
  return make_error(ErrorCode::unrecognized, "Registration with a shared secret is not configured.");
}

Task<Result<Response>> get_nonce(ClientApi& api, Request&) {
  auto& registration = api.accounts.shared_secret_registration();
  if (!registration.offered()) co_return not_offered();
  co_return Response::json({{"nonce", registration.new_nonce()}});
}

SharedSecretRegistration::Request read_request(RequestFields& fields) {
  SharedSecretRegistration::Request request;
  request.nonce = fields.required_string("nonce");
  request.username = fields.required_string("username");
  request.password = fields.required_string("password");
  request.mac = fields.required_string("mac");
  request.admin = fields.optional_bool("admin").value_or(false);
  request.user_type = fields.optional_string("user_type");
  if (request.user_type && *request.user_type != "bot" && *request.user_type != "support")
    fields.fail(make_error(ErrorCode::invalid_param, "user_type is \"bot\" or \"support\"."));
  return request;
}

Task<Result<Response>> register_with_shared_secret(ClientApi& api, Request& request) {
  auto& registration = api.accounts.shared_secret_registration();
  if (!registration.offered()) co_return not_offered();
  RequestFields fields(request);
  fields.read_body();
  const auto wanted = read_request(fields);
  const auto display_name = fields.optional_string("displayname");
  if (fields.error()) co_return *fields.error();
  const auto verified = registration.verify(wanted);
  if (verified.has_error()) co_return verified.error();

  AccountService::NewAccount account;
  account.localpart = wanted.username;
  account.password = wanted.password;
  account.is_admin = wanted.admin;
  const auto user = co_await api.accounts.register_account(std::move(account));
  if (!user) co_return user.error();
  if (display_name) {
    const UserNid nid = co_await api.interner.user(*user);
    const auto set = co_await api.accounts.set_display_name(nid, display_name);
    if (set.has_error()) co_return set.error();
  }
  co_return co_await registration_reply(api, *user, fields.take());
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_synapse/admin/v1/register", "getRegistrationNonce", Auth::none, RateClass::login, 0, get_nonce},
    {Verb::post, "/_synapse/admin/v1/register", "registerWithSharedSecret", Auth::none, RateClass::login, 16 * kib,
     register_with_shared_secret},
};

}  // namespace

EndpointTable synapse_register_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
