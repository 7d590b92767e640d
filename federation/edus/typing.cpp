#include "federation/edus/typing.hpp"

#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

// Peers repeat "typing" while it lasts and say when it ends; this is for those that vanish in between.
constexpr std::chrono::seconds remote_typing_timeout{60};

}  // namespace

std::string typing_edu(const RoomId& room, const UserId& user, bool typing) {
  boost::json::object content;
  content["room_id"] = room.str();
  content["typing"] = typing;
  content["user_id"] = user.str();
  return edu_text(typing_edu_type, std::move(content));
}

Task<> receive_typing(Edus& edus, ServerName origin, boost::json::object content) {
  const std::string user(json::find_string(content, "user_id").value_or(""));
  const auto is_typing = json::find_bool(content, "typing");
  std::string room_id(json::find_string(content, "room_id").value_or(""));
  auto room = co_await edus.open_room(origin, std::move(room_id));
  if (!is_typing) co_return edus.drop("malformed");
  if (!room) co_return edus.drop("room");
  if (!co_await edus.is_joined_user_of(origin, room, user)) co_return edus.drop("user");
  edus.typing.set(room->nid, UserId::trusted(user), *is_typing, remote_typing_timeout, false);
}

}  // namespace causeway::federation
