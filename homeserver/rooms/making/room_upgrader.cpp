#include "homeserver/rooms/making/room_upgrader.hpp"

#include <array>

#include "homeserver/rooms/reader/state_permission.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

using boost::json::array;
using boost::json::object;

// The specification's list, but for the power levels, which come last.
constexpr std::array<std::string_view, 8> transferable = {
    "m.room.server_acl",   "m.room.encryption",         "m.room.name",      "m.room.avatar", "m.room.topic",
    "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules"};
constexpr std::string_view space_child = "m.space.child";
constexpr const char* canonical_alias = "m.room.canonical_alias";
constexpr const char* tombstone = "m.room.tombstone";
constexpr int max_attempts = 5;

MatrixError may_not_upgrade() {
  return make_error(ErrorCode::forbidden, "You may not upgrade this room.");
}

// Adds an event of the old room to what the new one starts with, unless its version can't hold such content.
void carry(CreateRoom& made, const RoomVersion& version, std::string_view type, std::string_view state_key,
           object content) {
  if (version.strict_canonical_json && !json::check_canonical(content)) return;
  object event;
  event["type"] = type;
  event["state_key"] = state_key;
  event["content"] = std::move(content);
  made.initial_state.push_back(std::move(event));
}

object tombstone_content(const RoomId& replacement) {
  object content;
  content["body"] = "This room has been replaced.";
  content["replacement_room"] = replacement.str();
  return content;
}

std::set<std::string> strings_in(const array* list) {
  std::set<std::string> strings;
  if (list)
    for (const auto& entry : *list)
      if (entry.is_string()) strings.emplace(entry.get_string());
  return strings;
}

// Whether a room was made to replace another, by this request or one like it.
bool replaces(const Event& create, const RoomVersion& version, const UpgradeRoom& request) {
  const auto* predecessor = json::find_object(create.content(), "predecessor");
  if (!predecessor || json::find_string(*predecessor, "room_id") != request.room.str()) return false;
  if (create.sender() != request.sender.user || &create.version() != &version) return false;
  return !version.creators_are_privileged || strings_in(json::find_array(create.content(), "additional_creators")) ==
                                                 strings_in(&request.additional_creators);
}

}  // namespace

Task<Result<RoomId>> RoomUpgrader::upgrade(UpgradeRoom request) {
  const RoomVersion* version = find_room_version(request.version);
  if (!version)
    co_return make_error(ErrorCode::unsupported_room_version, 400,
                         "This server does not support room version '" + request.version + "'.");
  NameGuard guard(under_way_, request.room.str());
  if (!guard.held()) co_return make_error(ErrorCode::limit_exceeded, 429, "The room is being upgraded already.");
  auto room = co_await services_.reader.room(request.room);
  bool may = room && room->resident;
  if (may) may = co_await may_set_state(services_.reader, room, request.sender.user, tombstone);
  if (!may) co_return may_not_upgrade();

  // Who was not answered asks again, and is told what was made then.
  auto replacement = co_await made_before(room, *version, request);
  if (!replacement) {
    auto made = co_await replace(request, *version);
    if (!made) co_return made.error();
    replacement = std::move(*made);
  }
  co_await services_.settings.carry_over(request.sender, *replacement);
  co_return *replacement;
}

Task<std::optional<RoomId>> RoomUpgrader::made_before(RoomInfoPtr room, const RoomVersion& version,
                                                      const UpgradeRoom& request) {
  StateKey tombstone_key(tombstone, ""), create_key("m.room.create", "");
  const auto end = co_await services_.reader.state_event(room->nid, room->state, std::move(tombstone_key));
  if (!end || end->event->sender() != request.sender.user) co_return std::nullopt;
  auto named = RoomId::parse(json::find_string(end->event->content(), "replacement_room").value_or(""));
  if (!named) co_return std::nullopt;
  const auto made = co_await services_.reader.room(*named);
  if (!made || !made->resident) co_return std::nullopt;
  const auto create = co_await services_.reader.state_event(made->nid, made->state, std::move(create_key));
  if (!create || !replaces(*create->event, version, request)) co_return std::nullopt;
  const auto membership = co_await services_.reader.membership_at(made->nid, made->state, request.sender.user);
  if (membership != db::Membership::join) co_return std::nullopt;
  co_return std::move(*named);
}

// The old room's end and the new room's beginning are one commit, so that neither is there without the other.
Task<Result<RoomId>> RoomUpgrader::replace(const UpgradeRoom& request, const RoomVersion& version) {
  co_await services_.merger.merge_if_too_many(request.room);
  for (int attempt = 1; attempt <= max_attempts; ++attempt) {
    auto lock = co_await services_.heads.enter(request.room);
    if (!lock) co_return lock.error();
    if (!lock->known() || !lock->head().in_room(services_.self.name)) co_return may_not_upgrade();
    // What is read of the room's state is then what the tombstone stands on.
    const bool settled = co_await services_.heads.settle(*lock);
    if (!settled) continue;
    auto unit = std::make_shared<WriteUnit>();
    auto begun = co_await begin_replacement(lock->head(), *unit, request, version);
    if (!begun) co_return begun.error();
    auto first = begun->unit;
    auto written = co_await services_.heads.commit(std::move(*lock), unit, std::move(begun->lock), first);
    if (written) co_return begun->room;
    if (written.failure() != WriteFailure::stale_head) co_return written.error();
  }
  co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
}

// The new room names the tombstone where its version wants that, so the tombstone comes first; where the ID of the room
// is the hash of how it begins, the tombstone can only come after.
// spec: client-server-api#mroomcreate, predecessor
Task<Result<BegunRoom>> RoomUpgrader::begin_replacement(RoomHead& head, WriteUnit& unit, const UpgradeRoom& request,
                                                        const RoomVersion& version) {
  const auto room = co_await services_.reader.room(request.room);
  CreateRoom made = co_await replacement_for(room, version, request);
  auto aliases = co_await carried_aliases(head);
  if (aliases.moved) carry(made, version, canonical_alias, "", *aliases.moved);
  const bool named_before = !version.room_id_is_create_hash;
  std::optional<RoomId> chosen;
  if (named_before) {
    chosen = services_.maker.choose_id();
    auto content = tombstone_content(*chosen);
    auto end = co_await append_state(head, unit, request.sender, tombstone, std::move(content));
    if (!end) co_return end.error();
    made.creation_content["predecessor"].as_object()["event_id"] = end->str();
  }
  auto begun = co_await services_.maker.begin(made, std::move(chosen));
  if (!begun) co_return begun.error();
  if (!named_before) {
    auto content = tombstone_content(begun->room);
    auto end = co_await append_state(head, unit, request.sender, tombstone, std::move(content));
    if (!end) co_return end.error();
  }
  begun->unit->changes.emplace_back(db::AliasChange::moved(room->nid, begun->lock.head().nid));
  if (room->published) unit.changes.emplace_back(db::PublicationChange{room->nid, false});
  // Best effort, as it may take more power than the tombstone: the old room gives its names up and falls silent.
  if (aliases.moved) {
    auto renamed = co_await append_state(head, unit, request.sender, canonical_alias, std::move(aliases.kept));
    if (!renamed) log::info("room {}: keeps its aliases' names: {}", request.room.str(), renamed.error().message);
  }
  co_await quieten(head, unit, request.sender);
  co_return std::move(begun);
}

Task<CreateRoom> RoomUpgrader::replacement_for(RoomInfoPtr room, const RoomVersion& version,
                                               const UpgradeRoom& request) {
  auto state = co_await services_.reader.all_state(room->nid, room->state);
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
  made.creation_content["predecessor"] = std::move(predecessor);

  for (const std::string_view type : transferable) {
    const EventPtr event = find(type);
    if (!event) continue;
    object content = event->content();
    if (type == "m.room.join_rules") fit_join_rule(content, version);
    carry(made, version, type, "", std::move(content));
  }
  // NOTSPEC: a space without what it holds would be empty; other servers take these along too.
  for (const auto& child : state)
    if (child->event->is(space_child) && child->event->is_state())
      carry(made, version, space_child, *child->event->state_key(), child->event->content());
  if (const EventPtr levels = find("m.room.power_levels")) {
    // Until they are set, whoever upgrades may set everything.
    if (!version.creators_are_privileged) {
      object users;
      users[request.sender.user.str()] = highest_level(*room->version, levels->content());
      made.power_level_override["users"] = std::move(users);
    }
    const auto named = strings_in(&request.additional_creators);
    std::vector<std::string> creators(named.begin(), named.end());
    creators.push_back(request.sender.user.str());
    carry(made, version, "m.room.power_levels", "", carried_levels(*levels, version, *create, creators));
  }
  co_return made;
}

Task<CarriedAliases> RoomUpgrader::carried_aliases(RoomHead& head) {
  StateKey key(canonical_alias, "");
  const auto event = co_await services_.heads.holder(head, std::move(key));
  if (!event) co_return CarriedAliases();
  const auto aliases = co_await services_.reader.aliases(head.nid);
  co_return split_canonical_alias(event->event->content(), aliases);
}

Task<Result<EventId>> RoomUpgrader::append_state(RoomHead& head, WriteUnit& unit, const Sender& sender,
                                                 const char* type, object content) {
  LocalDraft draft;
  draft.sender = sender.user;
  draft.sender_nid = sender.nid;
  draft.type = type;
  draft.state_key = "";
  draft.content = std::move(content);
  co_return co_await services_.lane.append(head, unit, std::move(draft));
}

// Nobody but moderators speaks or invites in the old room any more.
Task<> RoomUpgrader::quieten(RoomHead& head, WriteUnit& unit, const Sender& sender) {
  StateKey key("m.room.power_levels", "");
  const auto levels = co_await services_.heads.holder(head, std::move(key));
  if (!levels) co_return;
  auto quiet = quietened_levels(*levels->event);
  auto sent = co_await append_state(head, unit, sender, "m.room.power_levels", std::move(quiet));
  if (!sent) log::info("room {}: not closed after its upgrade: {}", head.id.str(), sent.error().message);
}

}  // namespace causeway
