#include "client-api/room_requests.hpp"

namespace causeway::client_api {

Task<Result<ReadableRoom>> readable_room(ClientApi& api, const http::Request& request, std::size_t index) {
  RequestFields fields(request);
  auto id = fields.room_id(index);
  if (fields.error()) co_return *fields.error();
  ReadableRoom room;
  room.info = co_await api.reader.room(std::move(id));
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

Task<Result<RoomInfoPtr>> require_joined_room(ClientApi& api, const http::Request& request, std::size_t index) {
  RequestFields fields(request);
  auto id = fields.room_id(index);
  if (fields.error()) co_return *fields.error();
  const RoomInfoPtr room = co_await api.reader.room(std::move(id));
  if (!room) co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  const auto membership = co_await api.reader.membership(request.requester->user_nid, room->nid);
  if (!membership || membership->membership != db::Membership::join)
    co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  co_return room;
}

MatrixError no_such_event() {
  return make_error(ErrorCode::not_found, "There is no such event, or you may not see it.");
}

EventPredicate wanted_by(const RoomEventFilter& filter) {
  return [&filter](const Event& event) { return filter.accepts(event); };
}

bool read_published(RequestFields& fields, bool otherwise) {
  const auto visibility = fields.optional_string("visibility");
  if (!visibility) return otherwise;
  if (*visibility != "public" && *visibility != "private")
    fields.fail(make_error(ErrorCode::invalid_param, "'visibility' must be 'public' or 'private'."));
  return *visibility == "public";
}

bool may_publish(const ClientApi& api, const http::Request& request) {
  return api.settings.anyone_may_publish || request.requester->is_admin;
}

MatrixError may_not_publish() {
  return make_error(ErrorCode::forbidden, "Only administrators of this server may list rooms in its directory.");
}

EventSerializer::Viewer viewer_of(const http::Request& request) {
  const http::Requester& requester = *request.requester;
  return {requester.user_nid, requester.user, requester.device_nid};
}

}  // namespace causeway::client_api
