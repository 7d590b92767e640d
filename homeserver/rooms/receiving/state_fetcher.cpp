#include "homeserver/rooms/receiving/state_fetcher.hpp"

#include "schema/log.hpp"

namespace causeway {

namespace {

// More than this are fetched as one whole state rather than one by one.
constexpr std::size_t max_single_fetches = 100;

Task<std::vector<EventId>> not_here(EventStore& events, std::vector<EventId> ids) {
  const auto here = co_await events.by_id(ids);
  std::vector<EventId> absent;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!here[i] || here[i]->has(db::EventFlags::unjudged)) absent.push_back(std::move(ids[i]));
  co_return absent;
}

}  // namespace

Task<Result<std::vector<EventId>>> StateFetcher::fetch(RoomInfoPtr room, EventId before, ServerName from) {
  auto ids = co_await remote_->state_ids(room->id, before, from);
  if (!ids) co_return ids.error();
  std::vector<EventId> wanted = std::move(ids->auth_chain);
  wanted.insert(wanted.end(), ids->state.begin(), ids->state.end());
  std::ranges::sort(wanted);
  const auto repeated = std::ranges::unique(wanted);
  wanted.erase(repeated.begin(), repeated.end());
  auto missing = co_await not_here(events_, std::move(wanted));
  if (missing.empty()) co_return std::move(ids->state);
  auto events = co_await fetch_events(room, std::move(before), std::move(missing), std::move(from));
  if (!events) co_return events.error();
  auto left_out = co_await outliers_.add(room->id, room->version, std::move(*events));
  if (!left_out.empty()) log::info("room {}: {} events of a state are left out", room->id.str(), left_out.size());
  co_return std::move(ids->state);
}

Task<Result<std::vector<VerifiedEvent>>> StateFetcher::fetch_events(RoomInfoPtr room, EventId before,
                                                                    std::vector<EventId> missing, ServerName from) {
  if (missing.size() <= max_single_fetches)
    co_return co_await remote_->events(room->id, room->version, std::move(missing), std::move(from));
  auto whole = co_await remote_->state(room->id, room->version, std::move(before), std::move(from));
  if (!whole) co_return whole.error();
  std::vector<VerifiedEvent> events = std::move(whole->state);
  std::ranges::move(whole->auth_chain, std::back_inserter(events));
  co_return events;
}

}  // namespace causeway
