#include <gtest/gtest.h>

#include "homeserver/accounts/shared_secret_registration.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway {
namespace {

class SharedSecretTest : public ::testing::Test {
 protected:
  void SetUp() override { crypto::initialise(); }
  ManualClock clock_;
  SharedSecretRegistration registration_{clock_, "shared"};

  SharedSecretRegistration::Request request(std::string nonce, std::string mac = "00") {
    SharedSecretRegistration::Request r;
    r.nonce = std::move(nonce);
    r.username = "anna";
    r.password = "secret";
    r.mac = std::move(mac);
    return r;
  }
};

TEST_F(SharedSecretTest, is_offered_only_with_a_secret) {
  EXPECT_TRUE(registration_.offered());
  EXPECT_FALSE(SharedSecretRegistration(clock_, "").offered());
}

TEST_F(SharedSecretTest, a_wrong_mac_is_forbidden_and_uses_the_nonce_up) {
  const std::string nonce = registration_.new_nonce();
  EXPECT_EQ(registration_.verify(request(nonce)).error().code, ErrorCode::forbidden);
  EXPECT_EQ(registration_.verify(request(nonce)).error().code, ErrorCode::unknown);
}

TEST_F(SharedSecretTest, nonces_expire_and_are_bounded) {
  const std::string late = registration_.new_nonce();
  clock_.advance(std::chrono::minutes(1));
  EXPECT_EQ(registration_.verify(request(late)).error().code, ErrorCode::unknown);
  const std::string pushed_out = registration_.new_nonce();
  for (int i = 0; i < 1024; ++i)
    registration_.new_nonce();
  EXPECT_EQ(registration_.verify(request(pushed_out)).error().code, ErrorCode::unknown);
}

}  // namespace
}  // namespace causeway
