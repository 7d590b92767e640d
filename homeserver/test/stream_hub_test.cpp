#include "homeserver/stream/stream_hub.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/stored_events.hpp"

namespace causeway {
namespace {

StoredEventPtr message(std::int64_t nid, std::int64_t room, StreamPosition position, std::string body = "x") {
  test::EventSpec spec;
  spec.nid = nid;
  spec.room = room;
  spec.body = std::move(body);
  auto stored = test::stored_event(spec);
  stored->order = OrderKey{position, 0};
  return stored;
}

std::vector<StreamPosition> positions(const std::vector<StoredEventPtr>& events) {
  std::vector<StreamPosition> out;
  for (const auto& event : events)
    out.push_back(event->position());
  return out;
}

TEST(RecentEvents, in_room_holds_the_span_exclusive_inclusive) {
  RecentEvents ring;
  for (StreamPosition p = 1; p <= 6; ++p)
    ring.append(message(p, p % 2 ? 1 : 2, p));
  EXPECT_EQ(positions(ring.in_room(RoomNid{1}, 1, 5)), (std::vector<StreamPosition>{3, 5}));
  EXPECT_EQ(positions(ring.in_room(RoomNid{2}, 0, 4)), (std::vector<StreamPosition>{2, 4}));
  EXPECT_TRUE(ring.in_room(RoomNid{3}, 0, 9).empty());
  EXPECT_EQ(ring.rooms_changed(5, 6), std::vector<RoomNid>{RoomNid{2}});
  EXPECT_EQ(ring.last_in_room(RoomNid{1}), 5);
}

TEST(RecentEvents, trimming_by_count_keeps_complete_after_true) {
  RecentEvents ring(10);
  ring.start_at(100);
  for (StreamPosition p = 101; p <= 5'000; ++p) {
    ring.append(message(p, p % 3 + 1, p));
    const StreamPosition after = ring.complete_after();
    std::size_t in_rooms = 0;
    for (std::int64_t room = 1; room <= 3; ++room)
      in_rooms += ring.in_room(RoomNid{room}, after, p).size();
    ASSERT_EQ(in_rooms, static_cast<std::size_t>(p - after)) << "an event after complete_after is missing";
    ASSERT_EQ(ring.all().size(), in_rooms);
    ASSERT_LE(ring.all().size(), 10u);
  }
  EXPECT_EQ(ring.complete_after(), 4'990);
}

TEST(RecentEvents, trimming_by_bytes_keeps_complete_after_true) {
  RecentEvents ring(1'000, 20'000);
  for (StreamPosition p = 1; p <= 100; ++p)
    ring.append(message(p, 1, p, std::string(3'000, 'b')));
  EXPECT_EQ(ring.all().size(), 4u);
  EXPECT_EQ(ring.complete_after(), 96);
}

TEST(RecentEvents, redaction_replaces_the_event_everywhere) {
  RecentEvents ring;
  for (StreamPosition p = 1; p <= 3; ++p)
    ring.append(message(p, 1, p));
  auto redacted = message(2, 1, 2, "gone");
  ring.replace(redacted);
  EXPECT_EQ(ring.all()[1], redacted);
  EXPECT_EQ(ring.in_room(RoomNid{1}, 0, 3)[1], redacted);
}

TEST(StreamHub, listeners_see_ring_and_position_of_the_batch) {
  StreamHub hub;
  hub.start_at(7);
  StreamPosition seen = 0;
  hub.add_listener(Stage::wake, [&](const std::vector<CommittedPtr>& commits) {
    EXPECT_EQ(hub.position(), commits.back()->until);
    seen = hub.recent().last_in_room(RoomNid{1});
  });
  auto facts = std::make_shared<Committed>();
  facts->after = 7;
  facts->until = 8;
  facts->events.push_back({message(1, 1, 8)});
  hub.committed({facts});
  EXPECT_EQ(seen, 8);
  EXPECT_EQ(hub.recent().complete_after(), 7);
}

}  // namespace
}  // namespace causeway
