#include "homeserver/rooms/head/room_builder.hpp"

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/members/membership.hpp"
#include "schema/events/signing.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

MatrixError forbidden(const Refusal& refusal) {
  return make_error(ErrorCode::forbidden, refusal.reason);
}

namespace {

// spec: rooms/v8#authorization-rules. Members are let in by a server, and its signature says so: content that names
// somebody and comes from a client, or from an older event of the same user, would let in whoever writes it.
void put_authoriser(boost::json::object& content, const std::optional<UserId>& user) {
  constexpr const char* key = "join_authorised_via_users_server";
  content.erase(key);
  if (user) content[key] = user->str();
}

// A refusal by the form of the content, which is not a matter of who sends it.
MatrixError refused(const Refusal& refusal) {
  switch (refusal.rule) {
    case AuthRule::member_form:
    case AuthRule::levels_single_values:
    case AuthRule::levels_map_values:
    case AuthRule::levels_users_values:
    case AuthRule::levels_creators:
      return make_error(ErrorCode::bad_json, "The content is malformed: " + refusal.reason + ".");
    default:
      return forbidden(refusal);
  }
}

NewEventPtr make_stored(const RoomHead& head, UserNid sender, EventPtr event) {
  auto stored = std::make_shared<StoredEvent>();
  stored->room = head.nid;
  stored->sender = sender;
  stored->before = head.current();
  stored->flags = db::EventFlags::local;
  if (is_merge_event(*event)) stored->flags = stored->flags | db::EventFlags::withheld;
  stored->event = std::move(event);
  return stored;
}

}  // namespace

EventDraft RoomBuilder::draft_on(const RoomHead& head, LocalDraft local) const {
  EventDraft draft;
  draft.version = head.version;
  draft.room_id = head.id;
  draft.sender = std::move(local.sender);
  draft.type = std::move(local.type);
  draft.state_key = std::move(local.state_key);
  draft.content = std::move(local.content);
  if (draft.type == "m.room.member") put_authoriser(draft.content, local.join_authorised_via);
  draft.redacts = std::move(local.redacts);
  draft.origin_server_ts = local.timestamp.value_or(clock_.now_ms());
  // No event may name more; the newest carry the room on and the next event takes the rest.
  std::vector<const Extremity*> extremities;
  for (const auto& extremity : head.extremities)
    extremities.push_back(&extremity);
  std::ranges::stable_sort(extremities, std::greater{}, &Extremity::depth);
  if (extremities.size() > max_prev_events) extremities.resize(max_prev_events);
  for (const auto* extremity : extremities)
    draft.prev_events.emplace_back(extremity->id, extremity->hash);
  // At the limit it stays there. spec: server-server-api#pdus
  constexpr std::int64_t max_depth = std::numeric_limits<std::int64_t>::max();
  if (!extremities.empty()) draft.depth = std::min(extremities.front()->depth, max_depth - 1) + 1;
  return draft;
}

// spec: server-server-api#auth-events-selection
Task<RoomBuilder::Drafted> RoomBuilder::choose_auth_events(RoomHead& head, EventDraft draft) {
  auto keys = auth_event_keys(*head.version, draft.type, draft.state_key, draft.sender, draft.content);
  const std::size_t selected = keys.size();
  if (head.version->room_id_is_create_hash) keys.emplace_back("m.room.create", "");
  if (draft.state_key) keys.emplace_back(draft.type, *draft.state_key);
  auto key_nids = co_await interner_.state_keys(std::move(keys));
  Drafted drafted;
  if (draft.state_key) {
    drafted.key = key_nids.back();
    key_nids.pop_back();
  }
  auto holders = co_await heads_.holders(head, std::move(key_nids));
  for (std::size_t i = 0; i < holders.size(); ++i) {
    if (!holders[i]) continue;
    drafted.state.add(holders[i]->event);
    if (i >= selected) continue;
    draft.auth_events.push_back(reference_to(*holders[i]->event));
    drafted.auth.push_back(std::move(holders[i]));
  }
  drafted.draft = std::move(draft);
  co_return drafted;
}

Result<EventPtr> RoomBuilder::authorise(const Drafted& drafted) const {
  auto event = build_event(drafted.draft, self_.name, self_.key);
  if (!event) return event.error();
  if (auto refusal = check_auth(**event, drafted.state)) return refused(*refusal);
  return event;
}

Task<Result<NewEventPtr>> RoomBuilder::build(RoomHead& head, LocalDraft local) {
  const UserNid sender_nid = local.sender_nid;
  EventDraft draft = draft_on(head, std::move(local));
  auto drafted = co_await choose_auth_events(head, std::move(draft));
  auto event = authorise(drafted);
  if (!event) co_return event.error();
  auto stored = make_stored(head, sender_nid, std::move(*event));
  stored->nid = co_await interner_.next_event();
  stored->key = drafted.key;
  if (stored->key)
    for (const auto& cited : drafted.auth)
      stored->cite(*cited);
  co_return stored;
}

Task<Result<EventTemplate>> RoomBuilder::build_template(RoomHead& head, LocalDraft local) {
  EventDraft draft = draft_on(head, std::move(local));
  auto drafted = co_await choose_auth_events(head, std::move(draft));
  auto event = authorise(drafted);
  if (!event) co_return event.error();
  EventTemplate made;
  made.version = head.version;
  made.event = to_template(drafted.draft);
  co_return made;
}

Task<Result<NewEventPtr>> RoomBuilder::build_create(const RoomVersion& version, std::optional<RoomId> room,
                                                    LocalDraft local) {
  const UserNid sender_nid = local.sender_nid;
  RoomHead nothing;
  nothing.version = &version;
  EventDraft draft = draft_on(nothing, std::move(local));
  draft.room_id = std::move(room);
  auto event = build_event(std::move(draft), self_.name, self_.key);
  if (!event) co_return event.error();
  if (auto refusal = check_auth(**event, AuthEvents{})) co_return forbidden(*refusal);
  auto stored = make_stored(nothing, sender_nid, std::move(*event));
  stored->nid = co_await interner_.next_event();
  StateKey create("m.room.create", "");
  stored->key = co_await interner_.state_key(std::move(create));
  co_return stored;
}

Task<Result<NewEventPtr>> RoomBuilder::build_and_append(RoomHead& head, WriteUnit& unit, LocalDraft draft) {
  auto built = co_await build(head, std::move(draft));
  if (built) co_await append(head, unit, *built);
  co_return built;
}

Task<> RoomBuilder::append(RoomHead& head, WriteUnit& unit, NewEventPtr event) {
  head.dirty = true;
  event->room = head.nid;
  const std::size_t index = unit.events.size();
  NewEvent added;
  added.stored = event;
  unit.events.push_back(std::move(added));
  if (event->key) {
    event->after = StateRef{0, ++head.state_version};
    head.remember_uncommitted(event);
    std::vector<StateKeyNid> keys(1, *event->key);
    auto before = co_await heads_.holders(head, std::move(keys));
    Change change{*event->key, std::move(before.front()), event};
    co_await change_current_state(head, unit, std::move(change), index);
  }
  const auto& named = event->event->prev_events();
  std::erase_if(head.extremities,
                [&](const Extremity& old) { return std::ranges::find(named, old.id) != named.end(); });
  head.extremities.emplace_back(*event);
}

Task<> RoomBuilder::change_current_state(RoomHead& head, WriteUnit& unit, Change change, std::size_t event_index) {
  const EventNid holder = change.after ? change.after->nid : EventNid{};
  head.set_holder(change.key, holder);
  StateChange written;
  written.from_version = head.state_version;
  written.key = change.key;
  written.event = holder;
  unit.state.push_back(written);
  const StoredEventPtr& either = change.after ? change.after : change.before;
  if (!either || !either->event->is("m.room.member")) co_return;
  auto user = UserId::parse(*either->event->state_key());
  if (user)
    co_await change_member(head, unit, std::move(*user), std::move(change.before), std::move(change.after),
                           event_index);
}

Task<> RoomBuilder::change_member(RoomHead& head, WriteUnit& unit, UserId user, StoredEventPtr before,
                                  StoredEventPtr after, std::size_t event_index) {
  using db::Membership;
  const Membership was = membership_of(before);
  const Membership is = membership_of(after);
  const ServerName server = user.server_name();
  if ((was == Membership::join) != (is == Membership::join))
    co_await count_joined(head, unit, server, is == Membership::join, event_index);
  if (server == self_.name) {
    MembershipChange change;
    change.user = co_await interner_.user(std::move(user));
    change.room = head.nid;
    change.membership = is;
    change.event = after ? after->nid : before->nid;
    // A unit that imports a room's state and adds a join to it changes the same user's twice: what is last holds.
    std::erase_if(unit.memberships, [&](const auto& earlier) { return earlier.user == change.user; });
    unit.memberships.push_back(std::move(change));
    co_return;
  }
  // A server outside the room learns what became of its user's invite or knock.
  const bool was_asked = was == Membership::invite || was == Membership::knock;
  const bool is_out = is == Membership::leave || is == Membership::ban;
  if (was_asked && is_out && after && after->has(db::EventFlags::local) && !head.in_room(server)) {
    std::vector<ServerName> names(1, server);
    auto nids = co_await interner_.servers(std::move(names));
    unit.outbox_extra.emplace_back(nids.front(), event_index);
  }
}

Task<> RoomBuilder::count_joined(RoomHead& head, WriteUnit& unit, ServerName server, bool joined,
                                 std::size_t event_index) {
  auto [counted, first] = head.joined_by_server.try_emplace(server.str());
  bool last = false;
  if (joined) {
    ++counted->second;
  } else {
    CAUSEWAY_ASSERT(counted->second > 0);
    last = --counted->second == 0;
    if (last) head.joined_by_server.erase(counted);
  }
  if (server == self_.name || !(joined ? first : last)) co_return;
  std::vector<ServerName> names(1, std::move(server));
  auto nids = co_await interner_.servers(std::move(names));
  RoomServerChange change;
  change.server = nids.front();
  change.event_index = event_index;
  change.joined = joined;
  unit.servers.push_back(change);
}

}  // namespace causeway
