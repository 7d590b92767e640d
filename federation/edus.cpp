#include "federation/edus.hpp"

#include <prometheus/counter.h>

#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

// Peers repeat "typing" while it lasts and say when it ends; this is for those that vanish in between.
constexpr std::chrono::seconds remote_typing_timeout{60};
constexpr std::size_t max_receipts_per_edu = 1'000;

struct Receipt {
  EventId event;
  Timestamp ts = 0;
  std::optional<std::string> thread;
};

std::optional<Receipt> read_receipt(const boost::json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto* ids = json::find_array(value.get_object(), "event_ids");
  const auto* data = json::find_object(value.get_object(), "data");
  if (!ids || ids->empty() || !ids->front().is_string() || !data) return std::nullopt;
  auto event = EventId::parse(std::string_view(ids->front().get_string()));
  const auto ts = json::find_int(*data, "ts");
  if (!event || !ts) return std::nullopt;
  Receipt receipt;
  receipt.event = std::move(*event);
  receipt.ts = *ts;
  if (auto id = json::find_string(*data, "thread_id")) receipt.thread = std::string(*id);
  return receipt;
}

}  // namespace

Task<> Edus::handle(ServerName origin, boost::json::object edu) {
  const auto type = json::find_string(edu, "edu_type");
  const auto* content = json::find_object(edu, "content");
  if (!type || !content) co_return drop("malformed");
  if (*type == "m.typing")
    co_await typing(origin, *content);
  else if (*type == "m.receipt")
    co_await receipts(origin, *content);
  else
    drop("unknown_type");
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
  auto room = co_await reader_.room(*id);
  if (!room || !room->resident) co_return nullptr;
  const bool allowed = co_await reader_.acl_allows(origin, room->nid);
  co_return allowed ? room : nullptr;
}

Task<bool> Edus::is_joined_user_of(ServerName origin, RoomInfoPtr room, std::string user_id) {
  auto user = UserId::parse(user_id);
  if (!user || user->server() != origin.str()) co_return false;
  co_return co_await reader_.membership_at(room->nid, room->state, *user) == db::Membership::join;
}

Task<> Edus::typing(ServerName origin, boost::json::object content) {
  const std::string user(json::find_string(content, "user_id").value_or(""));
  const auto is_typing = json::find_bool(content, "typing");
  std::string room_id(json::find_string(content, "room_id").value_or(""));
  auto room = co_await open_room(origin, std::move(room_id));
  if (!is_typing) co_return drop("malformed");
  if (!room) co_return drop("room");
  if (!co_await is_joined_user_of(origin, room, user)) co_return drop("user");
  typing_.set(room->nid, UserId::trusted(user), *is_typing, remote_typing_timeout, false);
}

Task<> Edus::receipts(ServerName origin, boost::json::object content) {
  for (const auto& [room_id, types] : content) {
    const auto* by_user = types.is_object() ? json::find_object(types.get_object(), "m.read") : nullptr;
    if (!by_user || by_user->size() > max_receipts_per_edu) {
      drop("malformed");
      continue;
    }
    auto room = co_await open_room(origin, std::string(room_id));
    if (room)
      co_await receipts_in(origin, room, *by_user);
    else
      drop("room");
  }
}

Task<> Edus::receipts_in(ServerName origin, RoomInfoPtr room, boost::json::object by_user) {
  for (const auto& [user_id, value] : by_user) {
    auto receipt = read_receipt(value);
    if (!receipt) {
      drop("malformed");
      continue;
    }
    const std::string user(user_id);
    const bool counts = co_await is_joined_user_of(origin, room, user);
    if (!counts) {
      drop("user");
      continue;
    }
    co_await receipts_.receive(room, UserId::trusted(user), "m.read", std::move(receipt->event),
                               std::move(receipt->thread), receipt->ts);
  }
}

}  // namespace causeway::federation
