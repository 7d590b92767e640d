#include "federation/edus/receipts.hpp"

#include <algorithm>
#include <iterator>

#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

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

// Those of users of the origin who are in the room.
Task<std::vector<ReceiptService::Received>> receipts_in(Edus& edus, ServerName origin, RoomInfoPtr room,
                                                        boost::json::object by_user) {
  std::vector<ReceiptService::Received> found;
  std::vector<StateKey> members;
  for (const auto& [user_id, value] : by_user) {
    auto user = UserId::parse(std::string_view(user_id));
    auto receipt = read_receipt(value);
    if (!user || user->server() != origin.str() || !receipt) {
      edus.drop(receipt ? "user" : "malformed");
      continue;
    }
    members.emplace_back("m.room.member", user->str());
    receipt->room = room;
    receipt->user = std::move(*user);
    found.push_back(std::move(*receipt));
  }
  const auto member_events = co_await edus.reader.state_events(room->nid, room->state, std::move(members));
  std::vector<ReceiptService::Received> of_members;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (member_events[i] && member_events[i]->event->membership() == "join")
      of_members.push_back(std::move(found[i]));
    else
      edus.drop("user");
  }
  co_return of_members;
}

}  // namespace

std::string receipt_edu(const db::ReceiptChange& receipt) {
  boost::json::object data;
  data["ts"] = receipt.ts;
  if (!receipt.thread_id.empty()) data["thread_id"] = receipt.thread_id;
  boost::json::array event_ids;
  event_ids.emplace_back(receipt.event_id.str());
  boost::json::object of_user;
  of_user["data"] = std::move(data);
  of_user["event_ids"] = std::move(event_ids);
  boost::json::object users;
  users[receipt.user_id.str()] = std::move(of_user);
  boost::json::object types;
  types[receipt.receipt_type] = std::move(users);
  boost::json::object content;
  content[receipt.room_id.str()] = std::move(types);
  return edu_text(receipts_edu_type, std::move(content));
}

Task<> receive_receipts(Edus& edus, ServerName origin, boost::json::object content) {
  std::vector<ReceiptService::Received> found;
  std::size_t rooms = 0;
  for (const auto& [room_id, types] : content) {
    if (++rooms > max_rooms_per_edu) {
      edus.drop("too_many");
      break;
    }
    const auto* by_user = types.is_object() ? json::find_object(types.get_object(), "m.read") : nullptr;
    if (!by_user || by_user->size() > max_receipts_per_room) {
      edus.drop("malformed");
      continue;
    }
    auto room = co_await edus.open_room(origin, std::string(room_id));
    if (!room) {
      edus.drop("room");
      continue;
    }
    auto of_room = co_await receipts_in(edus, origin, room, *by_user);
    std::ranges::move(of_room, std::back_inserter(found));
    if (found.size() < max_receipts_per_commit) continue;
    auto enough = std::exchange(found, {});
    co_await edus.receipts.receive(std::move(enough));
  }
  co_await edus.receipts.receive(std::move(found));
}

}  // namespace causeway::federation
