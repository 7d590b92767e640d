#include "client-api/session_reply.hpp"

#include "schema/json/object_reader.hpp"

namespace causeway::client_api {

using http::Response;

boost::json::object login_reply(const ClientApi& api, const Login& login) {
  return {{"user_id", login.user.str()},
          {"access_token", login.access_token},
          {"device_id", login.device_id},
          {"home_server", api.settings.server_name.str()}};
}

Task<Result<Response>> registration_reply(ClientApi& api, UserId user, boost::json::object body) {
  json::ObjectReader fields(std::move(body));
  const bool inhibit_login = fields.optional_bool("inhibit_login").value_or(false);
  const auto device_id = fields.optional_string("device_id");
  const auto device_name = fields.optional_string("initial_device_display_name");
  if (fields.error()) co_return *fields.error();
  if (inhibit_login)
    co_return Response::json({{"user_id", user.str()}, {"home_server", api.settings.server_name.str()}});
  const auto login = co_await api.accounts.log_in(user, device_id, device_name);
  if (!login) co_return login.error();
  co_return Response::json(login_reply(api, *login));
}

}  // namespace causeway::client_api
