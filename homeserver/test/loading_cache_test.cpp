#include "homeserver/runtime/loading_cache.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/run_task.hpp"

namespace causeway {
namespace {

// Loads are answered by hand.
class LoadingCacheTest : public ::testing::Test {
 protected:
  using Cache = LoadingCache<int, std::string>;

  Task<std::shared_ptr<std::string>> load(int) {
    ++loads_;
    if (on_load_) on_load_();
    co_await yield_once();
    if (fail_) throw std::runtime_error("the database is gone");
    if (value_.empty()) co_return nullptr;
    co_return std::make_shared<std::string>(value_);
  }
  std::string get(int key) {
    const auto value = test::run_task(reactor_, cache_.get(key));
    return value ? *value : "nothing";
  }

  asio::io_context reactor_;
  int loads_ = 0;
  bool fail_ = false;
  std::string value_ = "old";
  std::function<void()> on_load_;
  Cache cache_{3 * Cache::entry_bytes, [this](int key) { return load(key); }};
};

TEST_F(LoadingCacheTest, loads_once) {
  EXPECT_EQ(get(1), "old");
  EXPECT_EQ(get(1), "old");
  EXPECT_EQ(loads_, 1);
}

TEST_F(LoadingCacheTest, those_who_ask_at_once_share_a_load) {
  int answered = 0;
  for (int i = 0; i < 5; ++i)
    spawn(reactor_, cache_.get(1), [&](std::exception_ptr, Cache::Pointer value) { answered += *value == "old"; });
  reactor_.run();
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(loads_, 1);
}

TEST_F(LoadingCacheTest, a_change_during_the_load_makes_it_repeat) {
  on_load_ = [this] {
    if (loads_ > 1) return;
    asio::post(reactor_, [this] {
      value_ = "new";
      cache_.change(1, [](std::string&) { FAIL() << "nothing is held yet"; });
    });
  };
  EXPECT_EQ(get(1), "new");
  EXPECT_EQ(loads_, 2);
  EXPECT_EQ(*cache_.find(1), "new");
}

TEST_F(LoadingCacheTest, what_is_put_during_a_load_is_held_once) {
  on_load_ = [this] { asio::post(reactor_, [this] { cache_.put(1, std::make_shared<std::string>("put")); }); };
  EXPECT_EQ(get(1), "put");
  EXPECT_EQ(loads_, 1);
  cache_.drop(1);
  EXPECT_EQ(cache_.find(1), nullptr);
  on_load_ = nullptr;
  for (int key = 1; key <= 3; ++key)
    get(key);
  EXPECT_NE(cache_.find(1), nullptr);  // nothing else takes up room
}

// What comes between the end of the load and those who wait for it going on.
TEST_F(LoadingCacheTest, those_who_share_a_load_see_what_changed_since_it_ended) {
  int changes = 0;
  on_load_ = [&] {
    asio::post(reactor_, [&] {
      asio::post(reactor_, [&] { cache_.change(1, [&](std::string& value) { value = "new", ++changes; }); });
    });
  };
  std::vector<std::string> answers;
  for (int i = 0; i < 2; ++i)
    spawn(reactor_, cache_.get(1), [&](std::exception_ptr, Cache::Pointer value) { answers.push_back(*value); });
  reactor_.run();
  EXPECT_EQ(changes, 1);
  EXPECT_EQ(answers, (std::vector<std::string>{"old", "new"}));
}

TEST_F(LoadingCacheTest, those_who_share_a_load_load_again_what_was_dropped_since_it_ended) {
  on_load_ = [&] {
    if (loads_ > 1) return;
    asio::post(reactor_, [&] {
      asio::post(reactor_, [&] {
        value_ = "new";
        cache_.drop(1);
      });
    });
  };
  std::vector<std::string> answers;
  for (int i = 0; i < 2; ++i)
    spawn(reactor_, cache_.get(1), [&](std::exception_ptr, Cache::Pointer value) { answers.push_back(*value); });
  reactor_.run();
  EXPECT_EQ(answers, (std::vector<std::string>{"old", "new"}));
}

TEST_F(LoadingCacheTest, changes_without_end_are_answered_and_not_kept) {
  on_load_ = [this] { asio::post(reactor_, [this] { cache_.drop(1); }); };
  EXPECT_EQ(get(1), "old");
  EXPECT_EQ(cache_.find(1), nullptr);
}

TEST_F(LoadingCacheTest, readers_keep_what_they_have) {
  get(1);
  const auto held = cache_.find(1);
  cache_.change(1, [](std::string& value) { value = "new"; });
  EXPECT_EQ(*held, "old");
  EXPECT_EQ(get(1), "new");
  EXPECT_EQ(loads_, 1);
}

TEST_F(LoadingCacheTest, what_is_not_there_is_asked_for_again) {
  value_.clear();
  EXPECT_EQ(get(1), "nothing");
  value_ = "there now";
  EXPECT_EQ(get(1), "there now");
}

TEST_F(LoadingCacheTest, a_failed_load_is_everybody_s_and_not_kept) {
  fail_ = true;
  EXPECT_THROW(get(1), std::runtime_error);
  fail_ = false;
  EXPECT_EQ(get(1), "old");
}

TEST_F(LoadingCacheTest, the_least_recently_used_goes_first) {
  for (int key : {1, 2, 3, 1, 4})
    get(key);
  EXPECT_EQ(cache_.size(), 3u);
  EXPECT_TRUE(cache_.find(1));
  EXPECT_FALSE(cache_.find(2));
}

TEST_F(LoadingCacheTest, fills_what_is_missing_in_one_go) {
  get(1);
  std::vector<int> asked;
  auto load_many = [&](std::vector<int> keys) -> Task<std::vector<std::pair<int, std::shared_ptr<std::string>>>> {
    asked = keys;
    std::vector<std::pair<int, std::shared_ptr<std::string>>> loaded;
    loaded.emplace_back(2, std::make_shared<std::string>("two"));
    co_return loaded;
  };
  test::run_task(reactor_, cache_.fill({1, 2, 3}, std::move(load_many)));
  EXPECT_EQ(asked, (std::vector<int>{2, 3}));
  EXPECT_EQ(*cache_.find(2), "two");
  EXPECT_FALSE(cache_.find(3));
}

}  // namespace
}  // namespace causeway
