#include "client-api/request_fields.hpp"

#include <charconv>

#include "homeserver/sync/sync_service.hpp"

namespace causeway::client_api {

namespace {

MatrixError invalid(std::string message) {
  return make_error(ErrorCode::invalid_param, std::move(message));
}

}  // namespace

RoomId RequestFields::room_id(std::size_t index) {
  auto id = RoomId::parse(request_.path_parameter(index));
  if (!id) fail(invalid("This is not a room ID."));
  return id ? std::move(*id) : RoomId();
}

EventId RequestFields::event_id(std::size_t index) {
  auto id = EventId::parse(request_.path_parameter(index));
  if (!id) fail(invalid("This is not an event ID."));
  return id ? std::move(*id) : EventId();
}

RoomAlias RequestFields::room_alias(std::size_t index) {
  auto alias = RoomAlias::parse(request_.path_parameter(index));
  if (!alias) fail(invalid("Room alias invalid"));
  return alias ? std::move(*alias) : RoomAlias();
}

void RequestFields::own_user(std::size_t index) {
  if (request_.path_parameter(index) != request_.requester->user.str())
    fail(make_error(ErrorCode::forbidden, "This belongs to another user."));
}

bool RequestFields::query_flag(std::string_view name) {
  const auto value = query(name);
  if (!value || *value == "false") return false;
  if (*value == "true") return true;
  fail(invalid("'" + std::string(name) + "' must be true or false."));
  return false;
}

std::size_t RequestFields::limit(std::size_t otherwise, std::size_t maximum) {
  const auto text = query("limit");
  if (!text) return otherwise;
  std::size_t limit = 0;
  const char* const end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, limit);
  if (error == std::errc::result_out_of_range && at == end) return maximum;
  if (error != std::errc() || at != end) fail(invalid("'limit' must be a number."));
  return std::min(limit, maximum);
}

std::chrono::milliseconds RequestFields::timeout() {
  const auto text = query("timeout");
  std::int64_t milliseconds = 0;
  if (!text || text->empty()) return std::chrono::milliseconds(milliseconds);
  const char* const end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, milliseconds);
  if (error != std::errc() || at != end || milliseconds < 0)
    fail(invalid("'timeout' must be a number of milliseconds."));
  return std::chrono::milliseconds(milliseconds);
}

std::optional<OrderKey> RequestFields::place(std::string_view name) {
  const auto text = query(name);
  if (!text || text->empty()) return std::nullopt;
  return keep(parse_pagination_token(*text));
}

RoomEventFilter RequestFields::filter() {
  const auto text = query("filter");
  if (!text || text->empty()) return {};
  return keep(RoomEventFilter::parse(*text));
}

}  // namespace causeway::client_api
