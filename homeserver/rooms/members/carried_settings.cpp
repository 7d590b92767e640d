#include "homeserver/rooms/members/carried_settings.hpp"

#include "schema/db/tables/account_data.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

// m.direct with the new room beside the old one; nothing where the old one is no direct chat.
std::optional<std::string> direct_chats_with(const std::string& content, const std::string& old_room,
                                             const std::string& new_room) {
  auto chats = json::parse_object(content);
  if (!chats) return std::nullopt;
  bool changed = false;
  for (auto& [user, rooms] : *chats) {
    if (!rooms.is_array()) continue;
    const auto has = [&](const std::string& room) {
      return std::ranges::any_of(rooms.get_array(), [&](const auto& entry) { return entry == json::value(room); });
    };
    if (!has(old_room) || has(new_room)) continue;
    rooms.get_array().emplace_back(new_room);
    changed = true;
  }
  if (!changed) return std::nullopt;
  return boost::json::serialize(*chats);
}

}  // namespace

// The room that a room says it replaces, if that says so too; else anybody could take a friend's place. The first is
// read from the room's head, which has its create event in memory.
Task<RoomInfoPtr> CarriedSettings::predecessor_of(RoomId room) {
  StateKey create_key("m.room.create", ""), tombstone_key("m.room.tombstone", "");
  std::optional<RoomId> claimed;
  {
    auto lock = co_await services_.heads.enter(room);
    if (!lock || !lock->known()) co_return nullptr;
    const auto create = co_await services_.heads.holder(lock->head(), std::move(create_key));
    const auto* predecessor = create ? json::find_object(create->event->content(), "predecessor") : nullptr;
    const auto id = predecessor ? json::find_string(*predecessor, "room_id") : std::nullopt;
    if (!id) co_return nullptr;
    auto parsed = RoomId::parse(*id);
    if (!parsed) co_return nullptr;
    claimed = std::move(*parsed);
  }
  auto old_room = co_await services_.reader.room(*claimed);
  if (!old_room) co_return nullptr;
  const auto end = co_await services_.reader.state_event(old_room->nid, old_room->state, std::move(tombstone_key));
  const bool confirmed = end && json::find_string(end->event->content(), "replacement_room") == room.str();
  co_return confirmed ? old_room : nullptr;
}

Task<> CarriedSettings::carry_over(Sender user, RoomId into) {
  auto old_room = co_await predecessor_of(into);
  if (!old_room) co_return;
  auto room = co_await services_.reader.room(into);
  if (!room) co_return;
  struct Settings {
    std::optional<std::string> old_tags, new_tags, direct;
  };
  auto read = [nid = user.nid, from = old_room->nid, to = room->nid](db::Connection& c) {
    return Settings{db::find_account_data(c, nid, from, "m.tag"), db::find_account_data(c, nid, to, "m.tag"),
                    db::find_account_data(c, nid, RoomNid{}, "m.direct")};
  };
  // From the reading to the commit nothing else is written that these are merged from.
  const auto turn = co_await services_.account_data_lanes.enter(user.nid);
  if (!turn) co_return;
  auto settings = co_await services_.database.run(std::move(read));
  auto unit = std::make_shared<WriteUnit>();
  if (settings.old_tags && !settings.new_tags)
    unit->changes.emplace_back(db::AccountDataChange{user.nid, room->nid, "m.tag", *settings.old_tags});
  if (auto direct = direct_chats_with(settings.direct.value_or("{}"), old_room->id.str(), into.str()))
    unit->changes.emplace_back(db::AccountDataChange{user.nid, RoomNid{}, "m.direct", std::move(*direct)});
  if (unit->changes.empty()) co_return;
  auto written = co_await services_.writer.commit(std::move(unit));
  if (!written) log::info("room {}: settings were not carried over: {}", into.str(), written.error().message);
}

}  // namespace causeway
