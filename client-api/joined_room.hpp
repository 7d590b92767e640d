// For paths with a {roomId} of a room that the requester must be in.
#pragma once

#include "client-api/client_api.hpp"

namespace causeway::client_api {

// M_INVALID_PARAM when it is no room ID; M_FORBIDDEN when there is no such room here, or the requester is not in it.
inline Task<Result<RoomInfoPtr>> require_joined_room(ClientApi& api, const http::Request& request,
                                                     std::size_t parameter_index = 0) {
  const auto id = RoomId::parse(request.path_parameter(parameter_index));
  if (!id) co_return make_error(ErrorCode::invalid_param, "This is not a room ID.");
  const RoomInfoPtr room = co_await api.reader.room(*id);
  if (!room) co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  const auto membership = co_await api.reader.membership(request.requester->user_nid, room->nid);
  if (!membership || membership->membership != db::Membership::join)
    co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  co_return room;
}

}  // namespace causeway::client_api
