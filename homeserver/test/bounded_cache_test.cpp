#include "homeserver/runtime/bounded_cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace causeway {
namespace {

TEST(BoundedCache, forgets_what_was_not_asked_for) {
  BoundedCache<int, std::string> cache(2);
  cache.put(1, "one");
  for (int i = 2; i < 8; ++i) {
    cache.put(i, "another");
    ASSERT_NE(cache.find(1), nullptr) << i;
  }
  EXPECT_EQ(*cache.find(1), "one");
  EXPECT_EQ(cache.find(2), nullptr);
}

TEST(BoundedCache, gives_the_newest_value_whichever_generation_it_is_in) {
  BoundedCache<int, std::string> cache(2);
  cache.put(1, "old");
  cache.put(2, "");
  cache.put(3, "");
  cache.put(1, "new");
  EXPECT_EQ(*cache.find(1), "new");
  cache.erase(1);
  EXPECT_EQ(cache.find(1), nullptr);
}

TEST(BoundedCache, does_not_keep_what_was_read_before_an_erase_or_a_put) {
  BoundedCache<int, std::string> cache(2);
  auto before = cache.version();
  cache.erase(1);
  cache.put_as_of(before, 1, "read before the erase");
  EXPECT_EQ(cache.find(1), nullptr);
  before = cache.version();
  cache.put(1, "new");
  cache.put_as_of(before, 1, "read before the put");
  EXPECT_EQ(*cache.find(1), "new");
  cache.put_as_of(cache.version(), 2, "read in peace");
  EXPECT_EQ(*cache.find(2), "read in peace");
}

}  // namespace
}  // namespace causeway
