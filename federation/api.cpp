#include "federation/api.hpp"

namespace causeway::federation {

Task<Result<RoomInfoPtr>> room_open_to_origin(FederationApi& api, const http::Request& request, std::size_t parameter) {
  auto id = RoomId::parse(request.path_parameter(parameter));
  if (!id) co_return id.error();
  auto room = co_await api.reader.room(*id);
  if (!room || !room->resident) co_return make_error(ErrorCode::not_found, 404, "This server is not in that room.");
  if (!co_await api.reader.acl_allows(*request.origin, room->nid))
    co_return make_error(ErrorCode::forbidden, 403, "Your server is denied access to this room.");
  co_return room;
}

Task<Result<RoomInfoPtr>> room_of_origin(FederationApi& api, const http::Request& request, std::size_t parameter) {
  auto room = co_await room_open_to_origin(api, request, parameter);
  if (!room) co_return room.error();
  if (!co_await api.reader.server_in_room(*request.origin, (*room)->nid))
    co_return make_error(ErrorCode::forbidden, 403, "Your server is not in this room.");
  co_return *room;
}

}  // namespace causeway::federation
