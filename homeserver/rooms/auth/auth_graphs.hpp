// The auth graphs of rooms whose state was resolved lately, kept in memory and read from the database as walks come to
// need them. What an event cites never changes, so they are never stale.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "homeserver/rooms/auth/auth_graph.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"

namespace causeway {

class AuthGraphs {
 public:
  // Beyond `max_events` in all, the graphs used longest ago are forgotten.
  explicit AuthGraphs(db::Database& database, std::size_t max_events = 3'000'000)
      : database_(database), max_events_(max_events) {}

  // The graph of a room. Whoever has the room's lane may add to it.
  std::shared_ptr<AuthGraph> of(RoomNid room);

  // Adds these committed events, or that they are absent, and some of what they cite: one round trip.
  Task<> load(std::shared_ptr<AuthGraph> graph, std::vector<EventNid> nids);

 private:
  struct Entry {
    RoomNid room{};
    std::shared_ptr<AuthGraph> graph;
  };
  void forget_oldest();

  db::Database& database_;
  std::size_t max_events_;
  std::list<Entry> entries_;  // the most recent first
  std::unordered_map<RoomNid, std::list<Entry>::iterator> by_room_;
};

}  // namespace causeway
