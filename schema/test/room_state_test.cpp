#include "schema/db/tables/room_state.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "schema/test/support/state_rows.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::db {
namespace {

TEST(RoomState, many_rooms_are_read_in_parts_whole_whatever_their_sizes) {
  test::TestDatabase database{test::Rows::by_hand};
  Connection connection(database.url());
  const std::vector<int> sizes = {3, 0, 7, 1, 5, 4, 0, 2, 9};
  std::vector<MainLinePlace> places;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const RoomNid room{static_cast<std::int64_t>(100 - i)};  // not in the order of their numbers
    for (int key = 1; key <= sizes[i]; ++key)
      test::insert_state_change(connection, room, 0, key, StateKeyNid{key}, EventNid{1000 * key});
    places.push_back({room, sizes[i]});
  }
  for (const std::int64_t at_once : {1, 2, 3, 4, 8, 1000}) {
    auto states = main_line_states(connection, places, at_once);
    ASSERT_EQ(states.size(), sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      auto alone = state_at(connection, places[i].room, 0, places[i].version);
      std::ranges::sort(alone);
      std::ranges::sort(states[i]);
      EXPECT_EQ(states[i], alone) << "room " << i << " with " << at_once << " at once";
      EXPECT_EQ(states[i].size(), static_cast<std::size_t>(sizes[i]));
    }
  }
}

}  // namespace
}  // namespace causeway::db
