#include "federation/edus.hpp"

#include <prometheus/counter.h>

#include <algorithm>
#include <iterator>

#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

// Peers repeat "typing" while it lasts and say when it ends; this is for those that vanish in between.
constexpr std::chrono::seconds remote_typing_timeout{60};
constexpr std::size_t max_rooms_per_edu = 1'000;
constexpr std::size_t max_receipts_per_room = 1'000;
constexpr std::size_t max_receipts_per_commit = 1'000;  // beyond it another begins

// Without room and user.
std::optional<ReceiptService::Received> read_receipt(const boost::json::value& value) {
  if (!value.is_object()) return std::nullopt;
  const auto* ids = json::find_array(value.get_object(), "event_ids");
  const auto* data = json::find_object(value.get_object(), "data");
  if (!ids || ids->empty() || !ids->front().is_string() || !data) return std::nullopt;
  auto event = EventId::parse(std::string_view(ids->front().get_string()));
  const auto ts = json::find_int(*data, "ts");
  if (!event || !ts) return std::nullopt;
  ReceiptService::Received receipt;
  receipt.event = std::move(*event);
  receipt.ts = *ts;
  if (auto id = json::find_string(*data, "thread_id")) {
    if (*id != "main" && !EventId::parse(*id)) return std::nullopt;
    receipt.thread_id = std::string(*id);
  }
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
  std::vector<ReceiptService::Received> found;
  std::size_t rooms = 0;
  for (const auto& [room_id, types] : content) {
    if (++rooms > max_rooms_per_edu) {
      drop("too_many");
      break;
    }
    const auto* by_user = types.is_object() ? json::find_object(types.get_object(), "m.read") : nullptr;
    if (!by_user || by_user->size() > max_receipts_per_room) {
      drop("malformed");
      continue;
    }
    auto room = co_await open_room(origin, std::string(room_id));
    if (!room) {
      drop("room");
      continue;
    }
    auto of_room = co_await receipts_in(origin, room, *by_user);
    std::ranges::move(of_room, std::back_inserter(found));
    if (found.size() < max_receipts_per_commit) continue;
    auto enough = std::exchange(found, {});
    co_await receipts_.receive(std::move(enough));
  }
  co_await receipts_.receive(std::move(found));
}

Task<std::vector<ReceiptService::Received>> Edus::receipts_in(ServerName origin, RoomInfoPtr room,
                                                              boost::json::object by_user) {
  std::vector<ReceiptService::Received> found;
  std::vector<StateKey> members;
  for (const auto& [user_id, value] : by_user) {
    auto user = UserId::parse(std::string_view(user_id));
    auto receipt = read_receipt(value);
    if (!user || user->server() != origin.str() || !receipt) {
      drop(receipt ? "user" : "malformed");
      continue;
    }
    members.emplace_back("m.room.member", user->str());
    receipt->room = room;
    receipt->user = std::move(*user);
    found.push_back(std::move(*receipt));
  }
  const auto member_events = co_await reader_.state_events(room->nid, room->state, std::move(members));
  std::vector<ReceiptService::Received> of_members;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (member_events[i] && member_events[i]->event->membership() == "join")
      of_members.push_back(std::move(found[i]));
    else
      drop("user");
  }
  co_return of_members;
}

}  // namespace causeway::federation
