#include "federation/signed_client.hpp"

#include "federation/foreign_body.hpp"
#include "federation/x_matrix.hpp"

namespace causeway::federation {

namespace {

constexpr unsigned is_away = 504;
constexpr std::size_t max_error_code_bytes = 128;
constexpr std::size_t max_message_bytes = 512;
constexpr std::size_t max_members_bytes = 4'096;  // of the whole body

ErrorCode error_code(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::weak_password); ++i)
    if (info(static_cast<ErrorCode>(i)).name == name) return static_cast<ErrorCode>(i);
  return ErrorCode::unknown;
}

bool is_error_code(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; };
  return !name.empty() && name.size() <= max_error_code_bytes && std::ranges::all_of(name, fits);
}

// At most so many bytes, and no part of a character.
std::string shortened(std::string_view text) {
  if (text.size() <= max_message_bytes) return std::string(text);
  std::size_t end = max_message_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return std::string(text.substr(0, end)) + "...";
}

unsigned status_of(unsigned answered) {
  if (answered < 400) return 502;                               // neither a reply nor an error
  return answered == 502 ? is_away : std::min(answered, 599u);  // a gateway that has not reached it
}

}  // namespace

MatrixError read_error(unsigned status, std::string_view body) {
  auto error = make_error(ErrorCode::unknown, status_of(status),
                          "The other server answered with status " + std::to_string(status) + ".");
  auto object = json::parse_object(body);
  if (!object) return error;
  const auto name = json::find_string(*object, "errcode");
  if (!name || !is_error_code(*name)) return error;
  error.code = error_code(*name);
  error.message = shortened(json::find_string(*object, "error").value_or("The other server refused."));
  if (error.code == ErrorCode::unknown) error.extra["errcode"] = *name;
  if (body.size() > max_members_bytes) return error;
  object->erase("errcode");
  object->erase("error");
  for (const auto& member : *object)
    error.extra[member.key()] = member.value();
  return error;
}

bool is_peers_answer(const MatrixError& error) {
  return error.status != 429 && error.status != 503 && error.status != is_away;
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
  outbound::Request request;
  request.verb = call.verb;
  request.target = call.target;
  request.timeout = call.timeout;
  request.max_response_bytes = call.max_response_bytes;
  if (sign) {
    const std::string destination = call.server.str();
    const auto bytes =
        signed_request_bytes(outbound::to_string(call.verb), call.target, self_.name.str(), destination, call.body);
    const XMatrix credentials{self_.name.str(), destination, self_.key.key_id(), crypto::base64(self_.key.sign(bytes))};
    request.headers.emplace_back("Authorization", format_x_matrix(credentials));
  }
  request.json = std::move(call.body);

  auto response = co_await http_.request(call.server, std::move(request));
  if (!response) {
    auto error = std::move(response.error());
    if (error.status != 503) error.status = is_away;
    co_return error;
  }
  if (response->status != 200) co_return read_error(response->status, response->body);
  co_return std::move(response->body);
}

}  // namespace causeway::federation
