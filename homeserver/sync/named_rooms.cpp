#include "homeserver/sync/named_rooms.hpp"

#include "schema/db/tables/room_timelines.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_bytes = 16u << 20;

bool says_something(std::string_view type, const json::object& content) {
  return !json::find_string(content, type == "m.room.name" ? "name" : "alias").value_or("").empty();
}

bool says_something(const std::string& event_json) {
  const auto event = json::parse_object(event_json);
  const auto* content = event ? json::find_object(*event, "content") : nullptr;
  return content && says_something(json::find_string(*event, "type").value_or(""), *content);
}

}  // namespace

NamedRooms::NamedRooms(db::Database& database, Interner& interner)
    : database_(database), interner_(interner), rooms_(max_bytes, [this](RoomNid room) -> Task<std::shared_ptr<bool>> {
        std::vector<RoomNid> one(1, room);
        auto loaded = co_await load(std::move(one));
        co_return std::move(loaded.front().second);
      }) {}

Task<std::vector<bool>> NamedRooms::are_named(std::vector<RoomNid> rooms) {
  auto load_many = [this](std::vector<RoomNid> missing) { return load(std::move(missing)); };
  co_await rooms_.fill(rooms, std::move(load_many));
  std::vector<bool> out;
  for (RoomNid room : rooms) {
    const auto named = co_await rooms_.get(room);
    out.push_back(*named);
  }
  co_return out;
}

void NamedRooms::committed(const Committed& facts) {
  for (const CommittedState& change : facts.state)
    if (change.line == 0 && may_name(change.key)) rooms_.drop(facts.room);
  for (const ReplacedEvent& replaced : facts.replaced)
    if (replaced.stored->key && may_name(*replaced.stored->key)) rooms_.drop(replaced.stored->room);
}

bool NamedRooms::says_something(const Event& event) {
  return causeway::says_something(event.type(), event.content());
}

bool NamedRooms::may_name(StateKeyNid key) const {
  const StateKey* name = interner_.cached_state_key_name(key);
  return !name || name->type == "m.room.name" || name->type == "m.room.canonical_alias";
}

Task<NamedRooms::Loaded> NamedRooms::load(std::vector<RoomNid> rooms) {
  auto read = [rooms = std::move(rooms)](db::Connection& connection) {
    Loaded loaded;
    std::unordered_map<RoomNid, bool*> of_room;
    for (RoomNid room : rooms) {
      loaded.emplace_back(room, std::make_shared<bool>(false));
      of_room.emplace(room, loaded.back().second.get());
    }
    for (const auto& row : db::current_names(connection, rooms)) {
      bool& named = *of_room.at(row.room);
      named = named || causeway::says_something(row.json);
    }
    return loaded;
  };
  co_return co_await database_.run(std::move(read));
}

}  // namespace causeway
