#include "homeserver/runtime/bounded_cache.hpp"

#include <gtest/gtest.h>

#include <string>

namespace causeway {
namespace {

using Cache = BoundedCache<int, std::string>;
constexpr std::size_t two_each = 4 * Cache::entry_bytes;  // two in each generation

TEST(BoundedCache, forgets_what_was_not_asked_for) {
  Cache cache(two_each);
  cache.put(1, "one");
  for (int i = 2; i < 8; ++i) {
    cache.put(i, "another");
    ASSERT_NE(cache.find(1), nullptr) << i;
  }
  EXPECT_EQ(*cache.find(1), "one");
  EXPECT_EQ(cache.find(2), nullptr);
}

TEST(BoundedCache, gives_the_newest_value_whichever_generation_it_is_in) {
  Cache cache(two_each);
  cache.put(1, "old");
  cache.put(2, "");
  cache.put(3, "");
  cache.put(1, "new");
  EXPECT_EQ(*cache.find(1), "new");
  cache.erase(1);
  EXPECT_EQ(cache.find(1), nullptr);
}

TEST(BoundedCache, does_not_keep_what_was_read_before_an_erase_or_a_put) {
  Cache cache(two_each);
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

TEST(BoundedCache, is_bounded_in_bytes_however_few_they_belong_to) {
  Cache cache(8 * Cache::entry_bytes, [](int, const std::string& text) { return text.size(); });
  const std::string large(3 * Cache::entry_bytes, 'x');
  for (int i = 0; i < 4; ++i)
    cache.put(i, large);
  EXPECT_EQ(cache.find(0), nullptr);
  EXPECT_EQ(cache.find(1), nullptr);
  EXPECT_NE(cache.find(3), nullptr);
}

}  // namespace
}  // namespace causeway
