#include "client-api/session_reply.hpp"

#include "schema/json/json.hpp"

namespace causeway::client_api {

using http::Response;

boost::json::object login_reply(const ClientApi& api, const Login& login) {
  return {{"user_id", login.user.str()},
          {"access_token", login.access_token},
          {"device_id", login.device_id},
          {"home_server", api.settings.server_name.str()}};
}

Task<Result<Response>> registration_reply(ClientApi& api, UserId user, boost::json::object body) {
  const auto inhibit_login = json::optional_bool(body, "inhibit_login");
  if (!inhibit_login) co_return inhibit_login.error();
  const auto device_id = json::optional_string(body, "device_id");
  if (!device_id) co_return device_id.error();
  const auto device_name = json::optional_string(body, "initial_device_display_name");
  if (!device_name) co_return device_name.error();
  if (inhibit_login->value_or(false))
    co_return Response::json({{"user_id", user.str()}, {"home_server", api.settings.server_name.str()}});
  const auto login = co_await api.accounts.log_in(user, *device_id, *device_name);
  if (!login) co_return login.error();
  co_return Response::json(login_reply(api, *login));
}

}  // namespace causeway::client_api
