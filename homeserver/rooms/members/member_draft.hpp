#pragma once

#include "homeserver/rooms/head/room_builder.hpp"
#include "homeserver/rooms/requests.hpp"

namespace causeway {

// The member event that a request asks for.
inline LocalDraft member_draft(const ChangeMembership& request, boost::json::object content) {
  LocalDraft draft;
  draft.sender = request.sender.user;
  draft.sender_nid = request.sender.nid;
  draft.type = "m.room.member";
  draft.state_key = request.target.str();
  draft.content = std::move(content);
  return draft;
}

}  // namespace causeway
