// A room's replacement by one of another version, and what its members take along.
//
// spec: client-server-api#room-upgrades
#include <spdlog/spdlog.h>

#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/aliases.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

using boost::json::array;
using boost::json::object;

// The specification's list, but for the power levels, which come last.
constexpr std::array<std::string_view, 8> transferable = {
    "m.room.server_acl",   "m.room.encryption",         "m.room.name",      "m.room.avatar", "m.room.topic",
    "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules"};
constexpr std::string_view space_child = "m.space.child";

std::int64_t highest_level(const object& levels) {
  std::int64_t highest = 100;
  const auto look_at = [&](const boost::json::value& value) {
    if (value.is_int64()) highest = std::max(highest, value.get_int64());
  };
  for (const auto& [key, value] : levels) {
    look_at(value);
    if (value.is_object())
      for (const auto& [name, level] : value.get_object())
        look_at(level);
  }
  return highest;
}

// A version before 10 may have levels written as strings, which a later one does not allow.
void make_integers(object& levels) {
  const auto convert = [](boost::json::value& value) {
    if (value.is_double()) value = static_cast<std::int64_t>(value.get_double());
    if (!value.is_string()) return;
    const std::string text(value.get_string());
    value = std::int64_t{std::strtoll(text.c_str(), nullptr, 10)};
  };
  for (auto& [key, value] : levels) {
    convert(value);
    if (value.is_object())
      for (auto& [name, level] : value.get_object())
        convert(level);
  }
}

// Of a version whose creators stand above all levels.
std::vector<std::string> creators_of(const Event& create) {
  std::vector<std::string> creators(1, create.sender().str());
  if (const auto* more = json::find_array(create.content(), "additional_creators"))
    for (const auto& creator : *more)
      if (creator.is_string()) creators.emplace_back(creator.get_string());
  return creators;
}

// The levels of the old room as the new version can have them. Creators have theirs by being creators from version 12
// on, and by being listed before.
object carried_levels(object levels, const RoomVersion& from, const RoomVersion& to, const EventPtr& old_create,
                      const array& new_creators) {
  if (to.power_level_values == PowerLevelValues::integers) make_integers(levels);
  object users;
  if (const auto* given = json::find_object(levels, "users")) users = *given;
  if (to.creators_are_privileged) {
    for (const auto& creator : new_creators)
      if (creator.is_string()) users.erase(creator.get_string());
  } else if (from.creators_are_privileged) {
    for (const auto& creator : creators_of(*old_create))
      users[creator] = 100;
  }
  levels["users"] = std::move(users);
  if (to.creators_are_privileged) raise_tombstone_level(levels);
  return levels;
}

// A join rule that the version does not know would let nobody in, or everybody stay out.
void fit_join_rule(object& content, const RoomVersion& to) {
  const auto rule = json::find_string(content, "join_rule").value_or("invite");
  if (rule == "public" || rule == "invite" || rule == "private") return;
  if (to.lets_knock(rule) || to.lets_members_of_rooms_join(rule)) return;
  const bool by_rooms = rule == "restricted" || rule == "knock_restricted";
  content["join_rule"] = by_rooms && to.has_restricted_joins ? "restricted" : to.has_knocking ? "knock" : "invite";
}

// m.direct with the new room beside the old one; nothing where the old one is no direct chat.
std::optional<std::string> direct_chats_with(const std::string& content, const std::string& old_room,
                                             const std::string& new_room) {
  auto chats = json::parse_object(content);
  if (!chats) return std::nullopt;
  bool changed = false;
  for (auto& [user, rooms] : *chats) {
    if (!rooms.is_array()) continue;
    const auto has = [&](const std::string& room) {
      return std::ranges::any_of(rooms.get_array(),
                                 [&](const auto& entry) { return entry == boost::json::value(room); });
    };
    if (!has(old_room) || has(new_room)) continue;
    rooms.get_array().emplace_back(new_room);
    changed = true;
  }
  if (!changed) return std::nullopt;
  return boost::json::serialize(*chats);
}

object initial_event(std::string_view type, std::string_view state_key, object content) {
  object event;
  event["type"] = type;
  event["state_key"] = state_key;
  event["content"] = std::move(content);
  return event;
}

}  // namespace

Task<Result<RoomId>> RoomService::Impl::upgrade_room(UpgradeRoom request) {
  const RoomVersion* version = find_room_version(request.version);
  if (!version)
    co_return make_error(ErrorCode::unsupported_room_version, 400,
                         "This server does not support room version '" + request.version + "'.");
  NameGuard guard(upgrades_under_way, request.room.str());
  if (!guard.held()) co_return make_error(ErrorCode::limit_exceeded, 429, "The room is being upgraded already.");
  auto room = co_await services.reader.room(request.room);
  bool may = room && room->resident;
  if (may) may = co_await may_set_state(room, request.sender.user, "m.room.tombstone");
  if (!may) co_return make_error(ErrorCode::forbidden, "You may not upgrade this room.");

  CreateRoom replacement = co_await replacement_for(room, *version, request);
  auto made = co_await create_room(std::move(replacement));
  if (!made) co_return made.error();
  auto buried = co_await send_tombstone(request, *made);
  if (!buried) co_return buried.error();
  co_await move_names(room, *made);
  co_await quieten(request);
  co_await carry_settings_over(request.sender, *made);
  co_return *made;
}

Task<CreateRoom> RoomService::Impl::replacement_for(RoomInfoPtr room, const RoomVersion& version, UpgradeRoom request) {
  auto state = co_await services.reader.all_state(room->nid, room->state);
  const auto find = [&](std::string_view type) {
    auto found = std::ranges::find_if(state, [&](const auto& event) { return event->event->is_state(type, ""); });
    return found == state.end() ? nullptr : (*found)->event;
  };
  const EventPtr create = find("m.room.create");
  CreateRoom made;
  made.creator = request.sender;
  made.version = version.id;
  made.preset = "private_chat";
  made.published = room->published;
  for (const char* key : {"type", "m.federate"})
    if (const auto* value = create->content().if_contains(key)) made.creation_content[key] = *value;
  if (version.creators_are_privileged && !request.additional_creators.empty())
    made.creation_content["additional_creators"] = request.additional_creators;
  object predecessor;
  predecessor["room_id"] = room->id.str();
  auto last = co_await services.events.by_nid(room->extremities);
  if (!last.empty() && last.front()) predecessor["event_id"] = last.front()->event->id().str();
  made.creation_content["predecessor"] = std::move(predecessor);

  for (const std::string_view type : transferable) {
    const EventPtr event = find(type);
    if (!event) continue;
    object content = event->content();
    if (type == "m.room.join_rules") fit_join_rule(content, version);
    made.initial_state.push_back(initial_event(type, "", std::move(content)));
  }
  // NOTSPEC: a space without what it holds would be empty; other servers take these along too.
  for (const auto& child : state)
    if (child->event->is(space_child) && child->event->is_state())
      made.initial_state.push_back(initial_event(space_child, *child->event->state_key(), child->event->content()));
  if (const EventPtr levels = find("m.room.power_levels")) {
    // Until they are set, whoever upgrades may set everything.
    if (!version.creators_are_privileged) {
      object users;
      users[request.sender.user.str()] = highest_level(levels->content());
      made.power_level_override["users"] = std::move(users);
    }
    array creators = request.additional_creators;
    creators.emplace_back(request.sender.user.str());
    object carried = carried_levels(levels->content(), *room->version, version, create, creators);
    made.initial_state.push_back(initial_event("m.room.power_levels", "", std::move(carried)));
  }
  co_return made;
}

Task<Result<>> RoomService::Impl::send_tombstone(UpgradeRoom request, RoomId replacement) {
  SendEvent tombstone;
  tombstone.sender = request.sender;
  tombstone.room = request.room;
  tombstone.type = "m.room.tombstone";
  tombstone.state_key = "";
  tombstone.content["body"] = "This room has been replaced.";
  tombstone.content["replacement_room"] = replacement.str();
  auto sent = co_await send(std::move(tombstone));
  if (!sent) co_return sent.error();
  co_return Result<>{};
}

// The old room's aliases lead to the new one, and the directory lists that alone.
Task<> RoomService::Impl::move_names(RoomInfoPtr from, RoomId to) {
  auto room = co_await services.reader.room(to);
  auto move = [old_room = from->nid, new_room = room->nid](db::Connection& c) {
    db::move_aliases(c, old_room, new_room);
  };
  co_await services.database.run(std::move(move));
  if (!from->published) co_return;
  auto unit = std::make_shared<WriteUnit>();
  unit->room = from->nid;
  unit->published = false;
  co_await services.writer.commit(std::move(unit));
}

// Best effort: nobody but moderators speaks or invites in the old room any more.
Task<> RoomService::Impl::quieten(UpgradeRoom request) {
  auto room = co_await services.reader.room(request.room);
  StateKey levels_key("m.room.power_levels", "");
  auto levels = co_await services.reader.state_event(room->nid, room->state, std::move(levels_key));
  if (!levels) co_return;
  SendEvent quiet;
  quiet.sender = request.sender;
  quiet.room = request.room;
  quiet.type = "m.room.power_levels";
  quiet.state_key = "";
  quiet.content = levels->event->content();
  const std::int64_t above_all = json::find_int(quiet.content, "users_default").value_or(0) + 1;
  for (const char* key : {"events_default", "invite"}) {
    const std::int64_t now = json::find_int(quiet.content, key).value_or(0);
    quiet.content[key] = std::max({now, above_all, std::int64_t{50}});
  }
  auto sent = co_await send(std::move(quiet));
  if (!sent) spdlog::info("room {}: not closed after its upgrade: {}", request.room.str(), sent.error().message);
}

// From the room's head, which has its create event in memory.
Task<std::optional<RoomId>> RoomService::Impl::predecessor_of(RoomId room) {
  auto lock = co_await heads.enter(room);
  if (!lock || !lock->known()) co_return std::nullopt;
  StateKey key("m.room.create", "");
  const auto create = co_await heads.holder(lock->head(), std::move(key));
  const auto* predecessor = create ? json::find_object(create->event->content(), "predecessor") : nullptr;
  const auto id = predecessor ? json::find_string(*predecessor, "room_id") : std::nullopt;
  if (!id) co_return std::nullopt;
  auto parsed = RoomId::parse(*id);
  if (!parsed) co_return std::nullopt;
  co_return std::move(*parsed);
}

// spec: client-server-api#room-upgrades: "some of the user's personalized settings". Tags, and being a direct chat.
Task<> RoomService::Impl::carry_settings_over(Sender user, RoomId into) {
  auto old_id = co_await predecessor_of(into);
  if (!old_id) co_return;
  auto room = co_await services.reader.room(into);
  auto old_room = co_await services.reader.room(*old_id);
  if (!room || !old_room) co_return;
  struct Settings {
    std::optional<std::string> old_tags, new_tags, direct;
  };
  auto read = [nid = user.nid, from = old_room->nid, to = room->nid](db::Connection& c) {
    return Settings{db::find_account_data(c, nid, from, "m.tag"), db::find_account_data(c, nid, to, "m.tag"),
                    db::find_account_data(c, nid, RoomNid{}, "m.direct")};
  };
  auto settings = co_await services.database.run(std::move(read));
  auto unit = std::make_shared<WriteUnit>();
  if (settings.old_tags && !settings.new_tags)
    unit->account_data.push_back({user.nid, room->nid, "m.tag", *settings.old_tags});
  if (auto direct = direct_chats_with(settings.direct.value_or("{}"), old_id->str(), into.str()))
    unit->account_data.push_back({user.nid, RoomNid{}, "m.direct", std::move(*direct)});
  if (unit->account_data.empty()) co_return;
  auto written = co_await services.writer.commit(std::move(unit));
  if (!written) spdlog::info("room {}: settings were not carried over: {}", into.str(), written.error().message);
}

}  // namespace causeway
