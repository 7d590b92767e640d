#include "federation/edus/edus.hpp"

#include <prometheus/counter.h>

#include "federation/edus/receipts.hpp"
#include "federation/edus/typing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

constexpr EduKind kinds[] = {
    {receipts_edu_type, receive_receipts},
    {typing_edu_type, receive_typing},
};

}  // namespace

Task<> Edus::handle(ServerName origin, boost::json::object edu) {
  const auto type = json::find_string(edu, "edu_type");
  const auto* content = json::find_object(edu, "content");
  if (!type || !content) co_return drop("malformed");
  const auto kind = std::ranges::find(kinds, *type, &EduKind::type);
  if (kind == std::end(kinds)) co_return drop("unknown_type");
  co_await kind->receive(*this, std::move(origin), *content);
}

void Edus::drop(const char* reason) {
  metrics_
      .counter("federation_edus_dropped_total", "EDUs, and receipts within them, that were dropped",
               {{"reason", reason}})
      .Increment();
}

Task<RoomInfoPtr> Edus::open_room(ServerName origin, std::string room_id) {
  auto id = RoomId::parse(room_id);
  if (!id) co_return nullptr;
  auto room = co_await reader.room(*id);
  if (!room || !room->resident) co_return nullptr;
  const bool allowed = co_await reader.acl_allows(origin, room->nid);
  co_return allowed ? room : nullptr;
}

Task<bool> Edus::is_joined_user_of(ServerName origin, RoomInfoPtr room, std::string user_id) {
  auto user = UserId::parse(user_id);
  if (!user || user->server() != origin.str()) co_return false;
  co_return co_await reader.membership_at(room->nid, room->state, *user) == db::Membership::join;
}

std::string edu_text(std::string_view type, boost::json::object content) {
  boost::json::object edu;
  edu["content"] = std::move(content);
  edu["edu_type"] = type;
  return json::canonical(edu);
}

}  // namespace causeway::federation
