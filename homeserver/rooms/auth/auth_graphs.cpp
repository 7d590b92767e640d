#include "homeserver/rooms/auth/auth_graphs.hpp"

#include "schema/db/tables/events.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_rooms = 1'000;
// Read with what is asked for, so that a long chain does not take a round trip for each event.
constexpr std::size_t read_ahead = 20'000;

}  // namespace

std::shared_ptr<AuthGraph> AuthGraphs::of(RoomNid room) {
  if (const auto found = by_room_.find(room); found != by_room_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
  } else {
    entries_.push_front({room, std::make_shared<AuthGraph>()});
    by_room_.emplace(room, entries_.begin());
  }
  auto graph = entries_.front().graph;
  forget_oldest();
  return graph;
}

void AuthGraphs::forget_oldest() {
  std::size_t events = 0;
  for (const Entry& entry : entries_)
    events += entry.graph->size();
  while (entries_.size() > 1 && (events > max_events_ || entries_.size() > max_rooms)) {
    events -= entries_.back().graph->size();
    by_room_.erase(entries_.back().room);
    entries_.pop_back();
  }
}

Task<> AuthGraphs::load(std::shared_ptr<AuthGraph> graph, std::vector<EventNid> nids) {
  auto read = [nids](db::Connection& connection) { return db::cited_by(connection, nids, nids.size() + read_ahead); };
  const auto rows = co_await database_.run(std::move(read));
  for (const db::CitingRow& row : rows)
    graph->add(row.nid, row.auth_order, row.key, row.auth);
  for (EventNid nid : nids) {
    const auto found = graph->find(nid);
    if (!found || !graph->is_known(*found)) graph->add_absent(nid);
  }
}

}  // namespace causeway
