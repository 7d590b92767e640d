// What the handlers of rooms have in common: finding out what of a room the requester may read.
#pragma once

#include "client-api/client_api.hpp"
#include "client-api/request_fields.hpp"

namespace causeway::client_api {

// The room in the path. M_INVALID_PARAM when it is no room ID; M_FORBIDDEN for a room that is not theirs to read; one
// that doesn't exist looks the same.
Task<Result<ReadableRoom>> readable_room(ClientApi& api, const http::Request& request, std::size_t index = 0);
// The same, but the requester must be in it.
Task<Result<RoomInfoPtr>> require_joined_room(ClientApi& api, const http::Request& request, std::size_t index = 0);

MatrixError no_such_event();

// `filter` must outlive it.
EventPredicate wanted_by(const RoomEventFilter& filter);

// `visibility` in a body: whether the room is to be listed in the directory. M_INVALID_PARAM.
bool read_published(RequestFields& fields, bool otherwise);
// Whether the requester may have a room listed in the directory.
bool may_publish(const ClientApi& api, const http::Request& request);
MatrixError may_not_publish();

EventSerializer::Viewer viewer_of(const http::Request& request);

}  // namespace causeway::client_api
