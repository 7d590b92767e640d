#include <gtest/gtest.h>

#include <future>

#include "homeserver/accounts/password_hasher.hpp"
#include "homeserver/test/support/run_task.hpp"

namespace causeway {
namespace {

class PasswordHasherTest : public ::testing::Test {
 protected:
  void SetUp() override { crypto::initialise(); }
  asio::io_context reactor_;
};

TEST_F(PasswordHasherTest, a_hash_matches_its_password_only) {
  CpuPool cpu(2);
  PasswordHasher passwords(cpu, crypto::PasswordCost::cheapest());
  const std::string hash = test::run_task(reactor_, passwords.hash("right")).value();
  EXPECT_TRUE(test::run_task(reactor_, passwords.matches("right", hash)).value());
  EXPECT_FALSE(test::run_task(reactor_, passwords.matches("wrong", hash)).value());
  EXPECT_FALSE(test::run_task(reactor_, passwords.matches("", std::nullopt)).value());
}

TEST_F(PasswordHasherTest, too_many_at_once_are_turned_away) {
  CpuPool cpu(1);
  PasswordHasher passwords(cpu, crypto::PasswordCost::cheapest());
  // The only thread is busy until everyone has asked.
  std::promise<void> everyone_asked;
  auto hold = [asked = everyone_asked.get_future().share()] { asked.wait(); };
  spawn(reactor_, Task<>(cpu.run(std::move(hold))), asio::detached);
  int done = 0, turned_away = 0;
  for (int i = 0; i < 300; ++i)
    spawn(reactor_, passwords.matches("x", std::nullopt), [&](std::exception_ptr error, Result<bool> matches) {
      ASSERT_FALSE(error);
      if (matches) return void(++done);
      ++turned_away;
      EXPECT_EQ(matches.error().code, ErrorCode::limit_exceeded);
    });
  reactor_.poll();
  EXPECT_EQ(turned_away, 300 - 4 * (1 + 64));
  everyone_asked.set_value();
  reactor_.run();
  EXPECT_EQ(done, 4 * (1 + 64));
}

}  // namespace
}  // namespace causeway
