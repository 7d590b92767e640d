// Random rooms that two to four servers write together, with forks, delays and gaps: what each server makes of them by
// the real state resolution against the truth, event by event.
#include <gtest/gtest.h>

#include <deque>

#include "conformance/state_resolution/seeds.hpp"
#include "conformance/state_resolution/simulated_server.hpp"

namespace causeway::test {
namespace {

class Federation {
 public:
  Federation(const RoomVersion& version, unsigned seed) : room_(version, seed) {
    const std::size_t count = 2 + room_.roll(3);
    for (std::size_t i = 0; i < count; ++i)
      servers_.emplace_back(room_, static_cast<char>('a' + i));
    pending_.resize(count);
    // The last one may come in later.
    const std::size_t at_first = count > 2 && room_.roll(2) ? count - 1 : count;
    for (std::size_t i = 0; i < at_first; ++i)
      for (Place place = 0; place <= *room_.first_events().begin(); ++place)
        servers_[i].receive(place);
  }

  void step() {
    const std::size_t i = room_.roll(servers_.size());
    if (!servers_[i].is_in_room())
      join(i);
    else if (room_.roll(2))
      write(i);
    else
      deliver_one(i);
  }

  void deliver_all() {
    for (std::size_t i = 0; i < servers_.size(); ++i)
      while (servers_[i].is_in_room() && !pending_[i].empty())
        deliver_one(i);
  }

  // An event that merges all extremities is written, and all who take it agree.
  void heal() {
    Places all;
    for (const auto& server : servers_)
      all.insert(server.extremities().begin(), server.extremities().end());
    std::optional<Place> merge;
    for (const auto& server : servers_)
      if (!merge && server.is_in_room()) merge = room_.write_message(server.name(), all);
    if (!merge) return;
    std::optional<NaiveState> agreed;
    for (auto& server : servers_) {
      if (!server.is_in_room()) continue;
      receive(server, *merge);
      if (!server.extremities().contains(*merge)) continue;  // soft-failed there
      ASSERT_EQ(server.extremities(), Places{*merge});
      if (agreed) {
        ASSERT_EQ(server.current(), *agreed);
      }
      agreed = server.current();
      ++merged_;
    }
  }

  // An empty server that is given all events, in another order.
  void import() {
    SimulatedServer empty(room_, 'z');
    std::vector<Place> left;
    for (Place place = 0; place < room_.size(); ++place)
      left.push_back(place);
    while (!left.empty()) {
      const auto next = left.begin() + static_cast<std::ptrdiff_t>(room_.roll(std::min<std::size_t>(left.size(), 5)));
      if (!empty.can_place(*next)) continue;
      receive(empty, *next);
      left.erase(next);
    }
    for (const auto& server : servers_)
      ASSERT_EQ(empty.resolve_extremities(server.extremities()), server.current());
  }

  std::size_t merged() const { return merged_; }

 private:
  void write(std::size_t i) {
    Places prev = servers_[i].extremities();
    if (room_.roll(5) == 0) prev = some_of(servers_[i]);
    const auto written = room_.write(servers_[i].name(), prev);
    if (written) publish(i, *written);
  }
  void publish(std::size_t writer, Place place) {
    receive(servers_[writer], place);
    for (std::size_t i = 0; i < servers_.size(); ++i)
      if (i != writer) pending_[i].push_back(place);
  }
  Places some_of(const SimulatedServer& server) {
    Places places;
    for (std::size_t count = 1 + room_.roll(3); count > 0; --count)
      places.insert(
          std::next(server.timeline().begin(), static_cast<std::ptrdiff_t>(room_.roll(server.timeline().size())))
              ->first);
    std::erase_if(places, [&](Place place) { return server.rejected(place); });
    return places.empty() ? server.extremities() : places;
  }

  void join(std::size_t i) {
    SimulatedServer& resident = servers_.front();
    const auto written = room_.write_join(servers_[i].name(), resident.extremities());
    if (!written) return;
    for (Place place = 0; place < *written; ++place)
      pending_[i].push_back(place);
    servers_[i].join(*written, room_.before(*written));
    check(servers_[i], *written);
    std::erase(pending_[i], *written);
    receive(resident, *written);
    for (std::size_t other = 1; other < servers_.size(); ++other)
      if (other != i) pending_[other].push_back(*written);
  }

  // Any of what is under way; what it names may be missing: then it waits, or that is fetched, or the state is.
  void deliver_one(std::size_t i) {
    if (pending_[i].empty()) return;
    const std::size_t which = room_.roll(pending_[i].size());
    const Place place = pending_[i][which];
    SimulatedServer& server = servers_[i];
    if (!server.has(place) && !server.can_place(place)) {
      const std::size_t how = room_.roll(3);
      if (how == 0) return;
      if (how == 1) fetch_missing(server, place);
    }
    pending_[i].erase(pending_[i].begin() + static_cast<std::ptrdiff_t>(which));
    receive(server, place);
  }
  void fetch_missing(SimulatedServer& server, Place place) {
    for (Place prev : room_.at(place).prev) {
      if (server.has(prev)) continue;
      if (!server.can_place(prev)) fetch_missing(server, prev);
      receive(server, prev);
    }
  }

  void receive(SimulatedServer& server, Place place) {
    if (server.has(place) || testing::Test::HasFatalFailure()) return;
    if (server.can_place(place))
      server.receive(place);
    else
      server.receive_with_state(place, room_.before(place));
    check(server, place);
  }

  void check(const SimulatedServer& server, Place place) {
    ASSERT_EQ(server.before(place), room_.before(place)) << "event " << place << " at server " << server.name();
    ASSERT_EQ(server.rejected(place), room_.is_rejected(place)) << "event " << place << " at server " << server.name();
    ASSERT_EQ(server.current(), room_.state_of(server.extremities()))
        << "after event " << place << " at server " << server.name();
  }

  SimulatedRoom room_;
  std::vector<SimulatedServer> servers_;
  std::vector<std::vector<Place>> pending_;  // of each server, what was sent to it
  std::size_t merged_ = 0;
};

std::vector<const RoomVersion*> versions() {
  std::vector<const RoomVersion*> found;
  for (const RoomVersion& version : supported_room_versions())
    found.push_back(&version);
  return found;
}

TEST(RandomFederationsTest, servers_agree_with_the_truth_and_so_with_each_other) {
  const auto all = versions();
  const Seeds seeds(2'000);
  std::size_t merged = 0;
  for (unsigned seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    const RoomVersion& version = *all[seed % all.size()];
    SCOPED_TRACE("seed " + std::to_string(seed) + ", room version " + std::string(version.id));
    Federation federation(version, seed);
    const int steps = seed % 50 == 0 ? 80 : 10;
    for (int i = 0; i < steps && !HasFatalFailure(); ++i)
      federation.step();
    if (!HasFatalFailure()) federation.deliver_all();
    if (!HasFatalFailure()) federation.heal();
    if (!HasFatalFailure() && seed % 2) federation.import();
    if (HasFatalFailure()) return;
    merged += federation.merged();
  }
  EXPECT_GT(merged, seeds.count / 2);  // most rooms heal
}

}  // namespace
}  // namespace causeway::test
