#include "federation/missing_events.hpp"

#include <spdlog/spdlog.h>

#include <unordered_set>

namespace causeway::federation {

namespace {

constexpr std::size_t max_rounds = 5;
constexpr std::size_t events_per_round = 50;
constexpr std::size_t max_collected = 250;
constexpr std::size_t max_earliest = 20;
constexpr std::size_t max_state_fetches = 3;
// More than this are fetched as one whole state rather than one by one.
constexpr std::size_t max_single_fetches = 100;

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

// Parents before children. `depth` is whatever the sender says, so it only breaks ties.
std::vector<VerifiedEvent> oldest_first(std::vector<VerifiedEvent> events) {
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return a.event()->depth() < b.event()->depth(); });
  std::unordered_set<EventId> waiting;
  for (const auto& verified : events)
    waiting.insert(verified.event()->id());
  std::vector<VerifiedEvent> out;
  const auto is_ready = [&](const VerifiedEvent& verified) {
    const auto& previous = verified.event()->prev_events();
    return std::none_of(previous.begin(), previous.end(), [&](const auto& id) { return waiting.contains(id); });
  };
  while (!events.empty()) {
    auto next = std::find_if(events.begin(), events.end(), is_ready);
    if (next == events.end()) next = events.begin();  // cannot be: hashes don't form cycles
    waiting.erase(next->event()->id());
    out.push_back(std::move(*next));
    events.erase(next);
  }
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
  spdlog::info("federation: missing events of {} from {}: {}", room_->id.str(), server.str(), error.message);
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
  co_return oldest_first(std::move(collected));
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
  co_return co_await receive_with_fetched_state(std::move(event));
}

Task<> MissingEvents::fetch_auth_events(EventId of, std::vector<EventId> missing, ServerName from) {
  auto fetched = co_await services_.remote.events(room_->id, room_->version, std::move(missing), from);
  if (fetched && !fetched->empty()) {
    auto left_out = co_await services_.rooms.add_outliers(room_->id, room_->version, std::move(*fetched));
    if (left_out.empty()) co_return;
  }
  // Their own auth events are missing too: the whole chain.
  auto chain = co_await services_.remote.event_auth(room_->id, room_->version, of, from);
  if (!chain) co_return note(from, chain.error());
  co_await services_.rooms.add_outliers(room_->id, room_->version, std::move(*chain));
}

Task<bool> MissingEvents::receive_with_fetched_state(VerifiedEvent event) {
  if (state_fetches_++ >= max_state_fetches) co_return false;
  for (const auto& server : to_ask()) {
    const bool over = co_await receive_with_state_of(event, server);
    if (over) co_return true;
  }
  co_return false;
}

Task<bool> MissingEvents::receive_with_state_of(VerifiedEvent event, ServerName server) {
  const EventId id = event.event()->id();
  auto ids = co_await services_.remote.state_ids(room_->id, id, server);
  if (!ids) {
    note(server, ids.error());
    co_return false;
  }
  const bool is_here = co_await store_state(id, *ids, server);
  if (!is_here) co_return false;
  auto outcome = co_await services_.rooms.receive_with_state(origin_, std::move(event), std::move(ids->state));
  co_return outcome.result != Received::missing;
}

// Makes the events of the state and its auth chain known here, as outliers: those that the server gives and that pass.
// False when it could not be asked for them.
Task<bool> MissingEvents::store_state(EventId at, RemoteServers::StateIds ids, ServerName from) {
  std::vector<EventId> wanted = ids.auth_chain;
  wanted.insert(wanted.end(), ids.state.begin(), ids.state.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  auto stored = co_await services_.events.by_id(wanted);
  std::vector<EventId> missing;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!stored[i]) missing.push_back(wanted[i]);
  if (missing.empty()) co_return true;

  std::vector<VerifiedEvent> fetched;
  if (missing.size() <= max_single_fetches) {
    auto events = co_await services_.remote.events(room_->id, room_->version, std::move(missing), from);
    if (!events) {
      note(from, events.error());
      co_return false;
    }
    fetched = std::move(*events);
  } else {
    auto state = co_await services_.remote.state(room_->id, room_->version, at, from);
    if (!state) {
      note(from, state.error());
      co_return false;
    }
    fetched = std::move(state->state);
    std::move(state->auth_chain.begin(), state->auth_chain.end(), std::back_inserter(fetched));
  }
  co_await services_.rooms.add_outliers(room_->id, room_->version, std::move(fetched));
  co_return true;
}

}  // namespace causeway::federation
