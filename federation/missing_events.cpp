#include "federation/missing_events.hpp"

#include <spdlog/spdlog.h>

#include <unordered_set>

#include "homeserver/rooms/outlier_judgement.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_rounds = 5;
constexpr std::size_t events_per_round = 50;
constexpr std::size_t max_collected = 250;
constexpr std::size_t max_earliest = 20;
constexpr std::size_t max_state_fetches = 3;

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
  auto state = co_await services_.rooms.fetch_state(room_, event.event()->id(), server);
  if (!state) {
    note(server, state.error());
    co_return false;
  }
  auto outcome = co_await services_.rooms.receive_with_state(origin_, std::move(event), std::move(*state));
  co_return outcome.result != Received::missing;
}

}  // namespace causeway::federation
