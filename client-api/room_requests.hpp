// What the handlers of rooms have in common: reading parameters, and finding out what of a room the requester may read.
#pragma once

#include "client-api/client_api.hpp"

namespace causeway::client_api {

// Path parameters and members of a body. M_INVALID_PARAM when they don't have the form of their type.
Result<RoomId> room_id_parameter(const http::Request& request, std::size_t index = 0);
Result<EventId> event_id_parameter(const http::Request& request, std::size_t index);
Result<UserId> required_user_id(const boost::json::object& body, std::string_view key);

// The query's `limit`: M_INVALID_PARAM when it is no number from 0 up; at most `maximum`.
Result<std::size_t> limit_parameter(const http::Request& request, std::size_t otherwise, std::size_t maximum);

// A room of which the requester may read something.
struct ReadableRoom {
  RoomInfoPtr info;
  RoomReader::Readable readable;
};
// M_FORBIDDEN for a room that is not theirs to read; one that doesn't exist looks the same.
Task<Result<ReadableRoom>> readable_room(ClientApi& api, const http::Request& request, std::size_t index = 0);

// `visibility` in a body: whether the room is to be listed in the directory. M_INVALID_PARAM.
Result<bool> read_published(const boost::json::object& body, bool otherwise);
// Whether the requester may have a room listed in the directory.
bool may_publish(const ClientApi& api, const http::Request& request);
MatrixError may_not_publish();

EventSerializer::Viewer viewer_of(const http::Request& request);

}  // namespace causeway::client_api
