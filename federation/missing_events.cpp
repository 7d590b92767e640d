#include "federation/missing_events.hpp"

#include <unordered_set>

#include "homeserver/rooms/receiving/outlier_judgement.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_rounds = 5;
constexpr std::size_t events_per_round = 50;
constexpr std::size_t max_collected = 250;
constexpr std::size_t max_earliest = 20;
constexpr std::size_t max_bridged = 3;  // events for whose parents states are asked for
// About missing parents; an event names at most 20. Then the event waits for its next attempt.
constexpr std::size_t max_asked = 40;
constexpr std::chrono::minutes max_asking{2};
// In all states that are told for one attempt.
constexpr std::size_t max_told_events = 500'000;

std::vector<EventId> prev_events_outside(const std::vector<VerifiedEvent>& collected) {
  std::unordered_set<EventId> inside;
  for (const auto& verified : collected)
    inside.insert(verified.event()->id());
  std::vector<EventId> out;
  for (const auto& verified : collected)
    for (const auto& previous : verified.event()->prev_events())
      if (inside.insert(previous).second) out.push_back(previous);
  return out;
}

}  // namespace

Task<bool> MissingEvents::receive(VerifiedEvent event) {
  const EventId id = event.event()->id();
  bool settled = false;
  auto collected = co_await collect(std::move(event));
  for (auto& verified : collected) {
    const bool is_target = verified.event()->id() == id;
    const bool over = co_await receive_one(std::move(verified));
    if (is_target) settled = over;
  }
  co_return settled;
}

Task<std::vector<EventId>> MissingEvents::unknown(std::vector<EventId> ids) {
  auto stored = co_await services_.events.by_id(ids);
  std::vector<EventId> out;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!stored[i] || !stored[i]->order) out.push_back(std::move(ids[i]));
  co_return out;
}

std::vector<ServerName> MissingEvents::to_ask() const {
  std::vector<ServerName> out;
  std::ranges::copy_if(servers_, std::back_inserter(out),
                       [&](const auto& server) { return !silent_.contains(server); });
  return out;
}

void MissingEvents::note(const ServerName& server, const MatrixError& error) {
  log::info("federation: missing events of {} from {}: {}", room_->id.str(), server.str(), error.message);
  if (!is_peers_answer(error)) silent_.insert(server);
}

Task<std::vector<VerifiedEvent>> MissingEvents::collect(VerifiedEvent event) {
  std::vector<EventId> latest;
  latest.push_back(event.event()->id());
  std::unordered_set<EventId> known(latest.begin(), latest.end());
  std::vector<VerifiedEvent> collected;
  collected.push_back(std::move(event));
  for (std::size_t round = 0; round < max_rounds && collected.size() < max_collected; ++round) {
    auto missing = co_await unknown(prev_events_outside(collected));
    if (missing.empty()) break;
    auto fetched = co_await ask_for_missing(latest);
    const std::size_t before = collected.size();
    for (auto& verified : fetched)
      if (known.insert(verified.event()->id()).second) collected.push_back(std::move(verified));
    if (collected.size() == before) break;
    // On from those whose parents are still not here.
    latest.clear();
    for (const auto& verified : collected) {
      const auto& previous = verified.event()->prev_events();
      if (std::ranges::any_of(previous, [&](const auto& id) { return !known.contains(id); }))
        latest.push_back(verified.event()->id());
    }
  }
  co_return oldest_first(collected);
}

// What the first server that has any says.
Task<std::vector<VerifiedEvent>> MissingEvents::ask_for_missing(std::vector<EventId> latest) {
  auto head = co_await services_.events.by_nid(room_->extremities);
  std::vector<EventId> earliest;
  for (const auto& stored : head)
    if (stored && earliest.size() < max_earliest) earliest.push_back(stored->event->id());
  for (const auto& server : to_ask()) {
    auto fetched =
        co_await services_.remote.missing_events(room_->id, room_->version, earliest, latest, events_per_round, server);
    if (!fetched)
      note(server, fetched.error());
    else if (!fetched->empty())
      co_return std::move(*fetched);
  }
  co_return std::vector<VerifiedEvent>();
}

Task<bool> MissingEvents::receive_one(VerifiedEvent event) {
  auto outcome = co_await services_.rooms.receive(origin_, event);
  for (const auto& server : to_ask()) {
    if (outcome.result != Received::missing || outcome.missing_auth.empty()) break;
    co_await fetch_auth_events(event.event()->id(), outcome.missing_auth, server);
    outcome = co_await services_.rooms.receive(origin_, event);
  }
  if (outcome.result != Received::missing) co_return true;
  if (!outcome.missing_auth.empty()) co_return false;
  co_return co_await receive_with_told_states(std::move(event), std::move(outcome.missing_prev));
}

// The events themselves; where that is not enough, since they cite what is not here either, their whole chain.
Task<> MissingEvents::fetch_auth_events(EventId of, std::vector<EventId> missing, ServerName from) {
  auto fetched = co_await services_.remote.events(room_->id, room_->version, missing, from);
  if (!fetched) co_return note(from, fetched.error());
  const bool all_fetched = fetched->size() == missing.size();
  auto left_out = co_await services_.rooms.add_outliers(room_->id, room_->version, std::move(*fetched));
  if (all_fetched && left_out.empty()) co_return;
  const bool complete = co_await fetch_auth_chain(of, missing, from);
  if (complete || silent_.contains(from)) co_return;
  // What an event cites is part of the state before it, or of that state's auth chain.
  auto state = co_await services_.rooms.fetch_state(room_, of, from);
  if (!state) note(from, state.error());
}

// True when nothing is missing any more.
Task<bool> MissingEvents::fetch_auth_chain(EventId of, std::vector<EventId> missing, ServerName from) {
  auto chain = co_await services_.remote.event_auth(room_->id, room_->version, of, from);
  if (!chain) {
    note(from, chain.error());
    co_return false;
  }
  co_await services_.rooms.add_outliers(room_->id, room_->version, std::move(*chain));
  const auto here = co_await services_.events.by_id(std::move(missing));
  co_return std::ranges::all_of(here, [](const auto& event) { return event && !event->has(db::EventFlags::unjudged); });
}

// `/state_ids` tells the state before an event. What is wanted is the state after each parent that is not here: at the
// event itself a server would tell what the states after all parents come to, those after known ones too.
Task<bool> MissingEvents::receive_with_told_states(VerifiedEvent event, std::vector<EventId> missing) {
  // For another event of this attempt.
  auto told = told_of(missing);
  if (told.size() == missing.size()) {
    auto outcome = co_await services_.rooms.receive_with_state(origin_, event, std::move(told));
    if (outcome.result != Received::missing) co_return true;
  }
  if (bridged_++ >= max_bridged) co_return false;
  for (const auto& server : to_ask()) {
    for (const auto& parent : missing)
      co_await ask_about(parent, server);
    auto outcome = co_await services_.rooms.receive_with_state(origin_, event, told_of(missing));
    if (outcome.result != Received::missing) co_return true;
  }
  co_return false;
}

Task<> MissingEvents::ask_about(EventId parent, ServerName server) {
  if (silent_.contains(server) || !may_ask()) co_return;
  auto event = co_await fetch_event(parent, server);
  if (silent_.contains(server)) co_return;
  if (event) {
    auto before = co_await unknown(event->event()->prev_events());
    if (before.empty()) {  // then the state before it is known, and nobody is to be believed
      co_await receive_one(std::move(*event));
      co_return;
    }
  }  // else it does not pass, or the server does not have it: it is no part of the state after it
  auto state = co_await services_.rooms.fetch_state(room_, parent, server);
  if (!state) co_return note(server, state.error());
  if (told_events_ + state->size() > max_told_events) {
    log::warn("federation: {}: the states after missing events are too large", room_->id.str());
    co_return;
  }
  told_events_ += state->size();
  ToldState told{parent, std::move(*state), std::move(event)};
  told_.insert_or_assign(parent, std::move(told));
}

Task<std::optional<VerifiedEvent>> MissingEvents::fetch_event(EventId id, ServerName from) {
  std::vector<EventId> one(1, std::move(id));
  auto fetched = co_await services_.remote.events(room_->id, room_->version, std::move(one), from);
  if (!fetched) note(from, fetched.error());
  if (!fetched || fetched->empty()) co_return std::nullopt;
  co_return std::move(fetched->front());
}

std::vector<ToldState> MissingEvents::told_of(const std::vector<EventId>& missing) const {
  std::vector<ToldState> told;
  for (const auto& parent : missing)
    if (auto found = told_.find(parent); found != told_.end()) told.push_back(found->second);
  return told;
}

bool MissingEvents::may_ask() {
  const auto now = std::chrono::steady_clock::now();
  if (asked_ == 0) asked_first_ = now;
  return asked_++ < max_asked && now - asked_first_ < max_asking;
}

}  // namespace causeway::federation
