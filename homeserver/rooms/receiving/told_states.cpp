#include "homeserver/rooms/receiving/told_states.hpp"

#include "homeserver/rooms/receiving/event_judge.hpp"

namespace causeway {

namespace {

// So many events are in memory at a time while it is looked up which keys they hold.
constexpr std::size_t events_at_once = 2'000;

struct Held {
  StateKeyNid key;
  EventNid event;
};
using HeldById = std::unordered_map<EventId, Held>;

std::vector<EventId> all_named(const std::vector<const ToldState*>& told) {
  std::vector<EventId> ids;
  for (const ToldState* state : told)
    ids.insert(ids.end(), state->before.begin(), state->before.end());
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return ids;
}

// What is here of these, in parts.
Task<Result<HeldById>> find_held(EventStore& store, RoomNid room, std::vector<EventId> ids) {
  HeldById held;
  for (auto first = ids.begin(); first != ids.end();) {
    const auto last = first + std::min<std::ptrdiff_t>(events_at_once, ids.end() - first);
    std::vector<EventId> part(first, last);
    const auto events = co_await store.by_id(std::move(part));
    for (const auto& event : events) {
      // spec: server-server-api#checks-performed-on-receipt-of-a-pdu: what did not pass the first checks is dropped,
      // and it alone, as at a join; else whoever gets one such event into a room cuts others off from it.
      if (!event) continue;
      if (event->room != room)
        co_return make_error(ErrorCode::not_found, "The state told holds events of another room.");
      if (event->key && event->counts()) held.emplace(event->event->id(), Held{*event->key, event->nid});
    }
    first = last;
  }
  co_return held;
}

StateMap state_of(const ToldState& told, const HeldById& held) {
  StateMap state;
  for (const auto& id : told.before)
    if (auto found = held.find(id); found != held.end()) state[found->second.key] = found->second.event;
  return state;
}

}  // namespace

Task<Result<std::vector<StateMapPtr>>> ToldStates::after_missing(const RoomHead& head, const Inbound& inbound,
                                                                 const Surroundings& around) {
  const RoomNid room = head.nid;
  std::vector<const ToldState*> told;
  for (const ToldState& state : inbound.told) {
    const bool of_parent = std::ranges::find(around.missing_prev, state.of) != around.missing_prev.end();
    if (of_parent || state.of == inbound.event->id()) told.push_back(&state);  // others came meanwhile
  }
  auto named = all_named(told);
  auto held = co_await find_held(events_, room, std::move(named));
  if (!held) co_return held.error();
  StateKey create_key("m.room.create", "");
  const auto create = co_await interner_.state_key(std::move(create_key));
  std::vector<StateMapPtr> states;
  for (const ToldState* one : told) {
    auto state = std::make_shared<StateMap>(state_of(*one, *held));
    // Whoever leaves that out leaves out more; on such a state any event would be rejected for good.
    if (!state->contains(create))
      co_return make_error(ErrorCode::not_found, "The state told has no m.room.create event.");
    if (one->of != inbound.event->id()) co_await apply(room, *state, *one);
    states.push_back(std::move(state));
  }
  co_return states;
}

// The state before an event becomes that after it. It is stored only where it is allowed, as what is accepted outside
// the timeline stays so.
Task<> ToldStates::apply(RoomNid room, StateMap& state, const ToldState& told) {
  auto stored = co_await events_.by_id(told.of);
  const bool is_judged = stored && !stored->has(db::EventFlags::unjudged);
  if (!is_judged && !told.event) co_return;
  const EventPtr event = is_judged ? stored->event : told.event->event();
  if (!event->is_state()) co_return;
  const bool allowed = co_await is_allowed_by(state, event);
  if (!allowed) co_return;
  if (!is_judged) {
    std::vector<VerifiedEvent> one(1, *told.event);
    auto outliers = co_await outliers_.store(room, std::move(one), std::nullopt);
    if (!outliers || !outliers->known.contains(told.of)) co_return;
    stored = outliers->known.at(told.of);
  }
  if (stored->room == room && stored->key && stored->counts()) state[*stored->key] = stored->nid;
}

Task<bool> ToldStates::is_allowed_by(const StateMap& state, EventPtr event) {
  auto keys = keys_that_judge(*event);
  const auto nids = co_await interner_.state_keys(std::move(keys));
  std::vector<EventNid> judges;
  for (const StateKeyNid key : nids)
    if (auto found = state.find(key); found != state.end()) judges.push_back(found->second);
  const auto holders = co_await events_.by_nid(std::move(judges));
  AuthEvents before;
  for (const auto& holder : holders)
    if (holder) before.add(holder->event);
  co_return !check_auth(*event, before);
}

}  // namespace causeway
