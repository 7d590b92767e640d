#include "client-api/room_requests.hpp"

#include <charconv>

namespace causeway::client_api {

Result<RoomId> room_id_parameter(const http::Request& request, std::size_t index) {
  auto id = RoomId::parse(request.path_parameter(index));
  if (!id) return make_error(ErrorCode::invalid_param, "This is not a room ID.");
  return id;
}

Result<EventId> event_id_parameter(const http::Request& request, std::size_t index) {
  auto id = EventId::parse(request.path_parameter(index));
  if (!id) return make_error(ErrorCode::invalid_param, "This is not an event ID.");
  return id;
}

Result<UserId> required_user_id(const boost::json::object& body, std::string_view key) {
  const auto text = json::required_string(body, key);
  if (!text) return text.error();
  auto id = UserId::parse(*text);
  if (!id) return make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' must be a user ID.");
  return id;
}

Result<std::size_t> limit_parameter(const http::Request& request, std::size_t otherwise, std::size_t maximum) {
  const auto text = request.query_parameter("limit");
  if (!text) return otherwise;
  std::size_t limit = 0;
  const char* const end = text->data() + text->size();
  const auto [at, error] = std::from_chars(text->data(), end, limit);
  if (error == std::errc::result_out_of_range && at == end) return maximum;
  if (error != std::errc() || at != end) return make_error(ErrorCode::invalid_param, "'limit' must be a number.");
  return std::min(limit, maximum);
}

Task<Result<ReadableRoom>> readable_room(ClientApi& api, const http::Request& request, std::size_t index) {
  auto id = room_id_parameter(request, index);
  if (!id) co_return id.error();
  ReadableRoom room;
  room.info = co_await api.reader.room(std::move(*id));
  const http::Requester& requester = *request.requester;
  if (room.info) {
    const auto readable = co_await api.reader.readable(requester.user_nid, requester.user, room.info);
    if (readable) {
      room.readable = *readable;
      co_return room;
    }
  }
  co_return make_error(ErrorCode::forbidden, "You aren't a member of the room.");
}

Result<bool> read_published(const boost::json::object& body, bool otherwise) {
  const auto visibility = json::optional_string(body, "visibility");
  if (!visibility) return visibility.error();
  if (!*visibility) return otherwise;
  if (**visibility == "public") return true;
  if (**visibility == "private") return false;
  return make_error(ErrorCode::invalid_param, "'visibility' must be 'public' or 'private'.");
}

bool may_publish(const ClientApi& api, const http::Request& request) {
  return api.settings.anyone_may_publish || request.requester->is_admin;
}

MatrixError may_not_publish() {
  return make_error(ErrorCode::forbidden, "Only administrators of this server may list rooms in its directory.");
}

EventSerializer::Viewer viewer_of(const http::Request& request) {
  return EventSerializer::Viewer::of(*request.requester);
}

}  // namespace causeway::client_api
