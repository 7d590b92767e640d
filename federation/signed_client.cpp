#include "federation/signed_client.hpp"

#include "federation/foreign_body.hpp"
#include "federation/x_matrix.hpp"

namespace causeway::federation {

namespace {

ErrorCode error_code(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::weak_password); ++i)
    if (info(static_cast<ErrorCode>(i)).name == name) return static_cast<ErrorCode>(i);
  return ErrorCode::unknown;
}

}  // namespace

MatrixError read_error(unsigned status, std::string_view body) {
  auto object = json::parse_object(body);
  if (!object || !json::find_string(*object, "errcode"))
    return make_error(ErrorCode::unknown, 502, "The other server answered with status " + std::to_string(status) + ".");
  MatrixError error;
  error.code = error_code(*json::find_string(*object, "errcode"));
  error.status = status;
  error.message = std::string(json::find_string(*object, "error").value_or("The other server refused."));
  object->erase("errcode");
  object->erase("error");
  error.extra = std::move(*object);
  return error;
}

bool is_peers_answer(const MatrixError& error) {
  return error.status >= 400 && error.status < 500;
}

Task<Result<boost::json::object>> SignedClient::call(Call call) {
  auto body = co_await exchange(std::move(call), true);
  if (!body) co_return body.error();
  co_return co_await parse_reply(std::move(*body));
}

Task<Result<boost::json::object>> SignedClient::call_unsigned(Call call) {
  auto body = co_await exchange(std::move(call), false);
  if (!body) co_return body.error();
  co_return co_await parse_reply(std::move(*body));
}

Task<Result<std::string>> SignedClient::fetch(Call call) {
  return exchange(std::move(call), true);
}

Task<Result<boost::json::object>> SignedClient::parse_reply(std::string body) {
  auto object = co_await read_foreign_object(cpu_, std::move(body));
  if (!object) co_return make_error(ErrorCode::unknown, 502, "The other server's reply is not a JSON object.");
  co_return std::move(*object);
}

Task<Result<std::string>> SignedClient::exchange(Call call, bool sign) {
  OutboundRequest request;
  request.verb = call.verb;
  request.target = call.target;
  request.timeout = call.timeout;
  request.max_response_bytes = call.max_response_bytes;
  if (sign) {
    const std::string destination = call.server.str();
    const auto bytes =
        signed_request_bytes(to_string(call.verb), call.target, self_.name.str(), destination, call.body);
    const XMatrix credentials{self_.name.str(), destination, self_.key.key_id(), crypto::base64(self_.key.sign(bytes))};
    request.headers.emplace_back("Authorization", format_x_matrix(credentials));
  }
  request.json = std::move(call.body);

  auto response = co_await http_.request(call.server, std::move(request));
  if (!response) co_return response.error();
  if (response->status != 200) co_return read_error(response->status, response->body);
  co_return std::move(response->body);
}

}  // namespace causeway::federation
