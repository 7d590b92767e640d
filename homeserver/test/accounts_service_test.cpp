#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/test/support/accounts_kit.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/registration_tokens.hpp"

namespace causeway {
namespace {

class AccountsTest : public ::testing::Test, protected test::AccountsKit {
 protected:
  ErrorCode error_of_login(std::string identifier, std::string password) {
    return run(accounts.check_password(std::move(identifier), std::move(password))).error().code;
  }
  std::int64_t count(const char* sql) {
    return database.run_blocking([sql](db::Connection& c) { return c.exec(sql)[0][0].as<std::int64_t>(); });
  }
};

// --- registration

TEST_F(AccountsTest, names_become_small_letters_and_are_taken_once) {
  EXPECT_EQ(register_user("Anna").str(), "@anna:example.org");
  EXPECT_EQ(run(accounts.check_available("ANNA")).error().code, ErrorCode::user_in_use);
  AccountService::NewAccount second;
  second.localpart = "anna";
  EXPECT_EQ(run(accounts.register_account(second)).error().code, ErrorCode::user_in_use);
  EXPECT_FALSE(run(accounts.check_available("berta")).has_error());
}

TEST_F(AccountsTest, names_outside_the_grammar_are_refused) {
  for (const char* name : {"", "with space", "colon:", "ümlaut", "@sigil", "#"})
    EXPECT_EQ(run(accounts.check_available(name)).error().code, ErrorCode::invalid_username) << name;
  EXPECT_EQ(run(accounts.check_available(std::string(300, 'a'))).error().code, ErrorCode::invalid_username);
}

TEST_F(AccountsTest, a_name_is_made_up_when_none_is_wanted) {
  const UserId one = run(accounts.register_account({})).value();
  const UserId two = run(accounts.register_account({})).value();
  EXPECT_NE(one, two);
  EXPECT_TRUE(is_strict_localpart(one.localpart()));
}

TEST_F(AccountsTest, a_registration_token_works_as_often_as_it_may) {
  database.run_blocking([](db::Connection& c) {
    db::insert_registration_token(c, "once", 1, std::nullopt);
    db::insert_registration_token(c, "forever", std::nullopt, std::nullopt);
    db::insert_registration_token(c, "late", std::nullopt, 1'000);
  });
  EXPECT_TRUE(run(accounts.registration_token_valid("once")));
  EXPECT_TRUE(run(accounts.use_registration_token("once")));
  EXPECT_FALSE(run(accounts.registration_token_valid("once")));
  EXPECT_FALSE(run(accounts.use_registration_token("once")));
  EXPECT_TRUE(run(accounts.use_registration_token("forever")));
  EXPECT_TRUE(run(accounts.use_registration_token("forever")));
  EXPECT_FALSE(run(accounts.registration_token_valid("late")));
  EXPECT_FALSE(run(accounts.registration_token_valid("nonsense")));
}

// --- passwords

TEST_F(AccountsTest, a_password_is_checked_for_a_user_id_and_for_a_localpart) {
  const UserId anna = register_user("anna", "correct horse");
  EXPECT_EQ(run(accounts.check_password("anna", "correct horse")).value(), anna);
  EXPECT_EQ(run(accounts.check_password("@anna:example.org", "correct horse")).value(), anna);
  EXPECT_EQ(run(accounts.check_password("Anna", "correct horse")).value(), anna);
}

TEST_F(AccountsTest, every_wrong_combination_is_the_same_error) {
  register_user("anna", "correct horse");
  register_user("without", "");
  for (const char* identifier : {"anna", "nobody", "@anna:elsewhere.org", "@anna", "", "not a name", "without"})
    EXPECT_EQ(error_of_login(identifier, "wrong"), ErrorCode::forbidden) << identifier;
  // An empty password is the one that the decoy for unknown users was made of.
  EXPECT_EQ(error_of_login("nobody", ""), ErrorCode::forbidden);
  EXPECT_EQ(error_of_login("without", ""), ErrorCode::forbidden);
}

TEST_F(AccountsTest, a_deactivated_account_can_neither_log_in_nor_use_its_tokens) {
  const UserId anna = register_user("anna", "correct horse");
  const Login login = log_in(anna);
  database.run_blocking([](db::Connection& c) { c.exec("update accounts set deactivated = true"); });
  EXPECT_EQ(error_of_login("anna", "correct horse"), ErrorCode::user_deactivated);
  EXPECT_EQ(error_of_login("anna", "wrong"), ErrorCode::forbidden);
  EXPECT_EQ(run(accounts.log_in(anna, std::nullopt, std::nullopt)).error().code, ErrorCode::user_deactivated);
  EXPECT_EQ(authenticate(login.access_token).error().code, ErrorCode::unknown_token);
}

// --- tokens and devices

TEST_F(AccountsTest, a_token_says_who_asks) {
  const UserId anna = register_user("anna");
  const Login login = log_in(anna, "PHONE");
  const http::Requester requester = authenticate(login.access_token).value();
  EXPECT_EQ(requester.user, anna);
  EXPECT_EQ(requester.user_nid, login.user_nid);
  EXPECT_EQ(requester.device_id, "PHONE");
  EXPECT_FALSE(requester.is_admin);
  EXPECT_EQ(authenticate(login.access_token + "x").error().code, ErrorCode::unknown_token);
  EXPECT_EQ(authenticate(std::string(login.access_token.size(), 'x')).error().code, ErrorCode::unknown_token);
}

TEST_F(AccountsTest, a_warm_token_costs_no_round_trip) {
  const Login login = log_in(register_user("anna"));
  authenticate(login.access_token).value();
  const auto before = database.round_trips();
  authenticate(login.access_token).value();
  EXPECT_EQ(database.round_trips(), before);
}

TEST_F(AccountsTest, tokens_are_stored_hashed) {
  const Login login = log_in(register_user("anna"));
  const auto stored = database.run_blocking(
      [](db::Connection& c) { return db::read_bytes(c.exec("select token_hash from access_tokens")[0][0]); });
  EXPECT_EQ(stored, crypto::as_view(crypto::sha256(login.access_token)));
}

TEST_F(AccountsTest, taking_a_device_over_invalidates_its_tokens) {
  const UserId anna = register_user("anna");
  const Login first = log_in(anna, "PHONE");
  const Login other = log_in(anna, "LAPTOP");
  const DeviceNid device = authenticate(first.access_token)->device_nid;
  const Login second = log_in(anna, "PHONE");
  EXPECT_EQ(authenticate(first.access_token).error().code, ErrorCode::unknown_token);
  EXPECT_EQ(authenticate(second.access_token)->device_nid, device);
  EXPECT_TRUE(authenticate(other.access_token).has_value());
}

TEST_F(AccountsTest, logging_out_ends_the_token_and_deletes_the_device) {
  const UserId anna = register_user("anna");
  const Login phone = log_in(anna, "PHONE");
  const Login laptop = log_in(anna, "LAPTOP");
  ASSERT_TRUE(run(accounts.log_out(authenticate(phone.access_token).value())));
  EXPECT_EQ(authenticate(phone.access_token).error().code, ErrorCode::unknown_token);
  EXPECT_TRUE(authenticate(laptop.access_token).has_value());
  EXPECT_EQ(count("select count(*) from devices"), 1);
  EXPECT_EQ(count("select count(*) from access_tokens"), 1);
}

TEST_F(AccountsTest, logging_out_everywhere_leaves_other_users_alone) {
  const UserId anna = register_user("anna");
  const Login phone = log_in(anna, "PHONE");
  const Login laptop = log_in(anna, "LAPTOP");
  const Login berta = log_in(register_user("berta"));
  const UserNid nid = authenticate(laptop.access_token)->user_nid;
  authenticate(phone.access_token).value();
  ASSERT_TRUE(run(accounts.log_out_all(nid)));
  EXPECT_EQ(authenticate(phone.access_token).error().code, ErrorCode::unknown_token);
  EXPECT_EQ(authenticate(laptop.access_token).error().code, ErrorCode::unknown_token);
  EXPECT_TRUE(authenticate(berta.access_token).has_value());
}

TEST_F(AccountsTest, device_ids_have_1_to_255_bytes) {
  const UserId anna = register_user("anna");
  for (const std::string& bad : {std::string(), std::string(256, 'x')})
    EXPECT_EQ(run(accounts.log_in(anna, bad, std::nullopt)).error().code, ErrorCode::invalid_param);
  EXPECT_EQ(log_in(anna, std::string(255, 'x')).device_id.size(), 255u);
}

// --- profiles

TEST_F(AccountsTest, profiles_keep_what_was_set_and_forget_what_was_taken_away) {
  const UserId anna = register_user("anna");
  const UserNid nid = run(interner.user(anna));
  using namespace std::string_literals;
  EXPECT_FALSE(run(accounts.set_display_name(nid, "An\0na"s)).has_error());
  EXPECT_FALSE(run(accounts.set_avatar_url(nid, "mxc://example.org/a")).has_error());
  const auto profile = run(accounts.profile(anna)).value();
  EXPECT_EQ(profile.display_name, "An\0na"s);
  EXPECT_EQ(profile.avatar_url, "mxc://example.org/a");
  EXPECT_FALSE(run(accounts.set_display_name(nid, std::nullopt)).has_error());
  EXPECT_EQ(run(accounts.profile(anna))->display_name, std::nullopt);
  EXPECT_EQ(run(accounts.profile(UserId::trusted("@nobody:example.org"))).has_value(), false);
  EXPECT_EQ(run(accounts.set_display_name(nid, std::string(2000, 'x'))).error().code, ErrorCode::invalid_param);
}

// --- account data and filters

TEST_F(AccountsTest, account_data_takes_a_position_of_the_stream_and_is_read_from_memory) {
  const UserNid anna = run(interner.user(register_user("anna")));
  const StreamPosition before = hub.position();
  EXPECT_EQ(run(accounts.account_data(anna, RoomNid{}, "org.example")), std::nullopt);
  EXPECT_FALSE(run(accounts.set_account_data(anna, RoomNid{}, "org.example", {{"a", 1}})).has_error());
  EXPECT_GT(hub.position(), before);
  const auto round_trips = database.round_trips();
  EXPECT_EQ(run(accounts.account_data(anna, RoomNid{}, "org.example")), R"({"a":1})");
  EXPECT_EQ(database.round_trips(), round_trips);
  EXPECT_EQ(run(accounts.account_data(anna, RoomNid{7}, "org.example")), std::nullopt);
  EXPECT_EQ(count("select count(*) from account_data"), 1);
}

TEST_F(AccountsTest, account_data_is_bounded) {
  const UserNid anna = run(interner.user(register_user("anna")));
  boost::json::object large{{"a", std::string(accounts.settings().max_account_data_bytes, 'x')}};
  EXPECT_EQ(run(accounts.set_account_data(anna, RoomNid{}, "t", large)).error().code, ErrorCode::too_large);
  EXPECT_EQ(run(accounts.set_account_data(anna, RoomNid{}, std::string(256, 't'), {})).error().code,
            ErrorCode::invalid_param);
}

// A user who may store `most` bytes of account data.
class AccountDataTest : public testing::Test {
 protected:
  static constexpr std::size_t most = 10'000;
  AccountDataTest() {
    kit.database.run_blocking([](db::Connection& c) { db::bound_account_data(c, most); });
  }
  static AccountSettings settings() {
    auto settings = test::AccountsKit::usual_settings();
    settings.max_user_data_bytes = most;
    return settings;
  }

  // The errcode, "" for success.
  std::string set(const char* type, std::size_t bytes, RoomNid room = {}) {
    const auto done = kit.run(kit.accounts.set_account_data(anna, room, type, {{"a", std::string(bytes, 'x')}}));
    return done ? "" : std::string(info(done.error().code).name);
  }
  std::size_t stored(const char* type, RoomNid room = {}) {
    return kit.run(kit.accounts.account_data(anna, room, type)).value_or("").size();
  }

  test::AccountsKit kit{settings()};
  const UserNid anna = kit.run(kit.interner.user(kit.register_user("anna")));
};

TEST_F(AccountDataTest, all_of_a_user_s_is_bounded_in_bytes_and_nothing_stored_is_lost) {
  kit.allow({"account_data_of_unknown"});  // a room that is not there
  EXPECT_EQ(set("a", 4000) + set("b", 4000, RoomNid{7}), "");
  EXPECT_EQ(set("c", 4000), "M_TOO_LARGE") << "a new type";
  EXPECT_EQ(set("a", 8000), "M_TOO_LARGE") << "one that grows";
  EXPECT_GT(stored("a"), 4000u);
  EXPECT_GT(stored("b", RoomNid{7}), 4000u);
  EXPECT_EQ(stored("c"), 0u);
  EXPECT_EQ(set("a", 4000), "") << "the same size";
  EXPECT_EQ(set("a", 10), "") << "smaller";
  EXPECT_EQ(set("c", 3000), "") << "there is room again";
  const UserNid berta = kit.run(kit.interner.user(kit.register_user("berta")));
  EXPECT_TRUE(kit.run(kit.accounts.set_account_data(berta, RoomNid{}, "a", {}))) << "another user's is not concerned";
}

TEST_F(AccountDataTest, many_small_types_count_too) {
  int types = 0;
  while (set(("t" + std::to_string(types)).c_str(), 0).empty() && types < 100)
    ++types;
  EXPECT_GT(types, 20);
  EXPECT_LT(types, 40);
}

TEST_F(AccountDataTest, the_commit_itself_refuses_what_no_service_checked_and_its_batch_goes_on) {
  kit.allow({"account_data_of_unknown"});  // a user that nobody has numbered
  auto unit = [this](UserNid user, const char* type, std::size_t bytes) {
    auto made = std::make_shared<WriteUnit>();
    made->changes.emplace_back(db::AccountDataChange{user, RoomNid{}, type, "\"" + std::string(bytes, 'x') + "\""});
    return made;
  };
  std::map<std::string, std::optional<WriteFailure>> outcome;
  int left = 0;
  const auto write = [&](const char* type, UserNid user, std::size_t bytes) {
    ++left;
    spawn(kit.reactor, kit.writer.commit(unit(user, type, bytes)),
          [&outcome, &left, type](std::exception_ptr, Written written) {
            outcome[type] = written.failure();
            --left;
          });
  };
  write("first", anna, 100);
  write("large", anna, 9'000);
  write("too_much", anna, 9'000);
  write("of_another", UserNid{77}, 9'000);
  write("m.fully_read", anna, 600);
  kit.reactor.restart();
  kit.reactor.run();
  ASSERT_EQ(left, 0);
  EXPECT_EQ(outcome["first"], std::nullopt);
  EXPECT_EQ(outcome["large"], std::nullopt);
  EXPECT_EQ(outcome["too_much"], WriteFailure::refused);
  EXPECT_EQ(outcome["of_another"], std::nullopt);
  EXPECT_EQ(outcome["m.fully_read"], std::nullopt) << "markers are never refused";
}

TEST_F(AccountsTest, a_filter_is_kept_once_and_for_its_user_only) {
  const UserNid anna = run(interner.user(register_user("anna")));
  const UserNid berta = run(interner.user(register_user("berta")));
  const std::string id = run(accounts.add_filter(anna, R"({"room":{}})")).value();
  EXPECT_EQ(run(accounts.add_filter(anna, R"({"room":{}})")).value(), id);
  EXPECT_NE(run(accounts.add_filter(anna, "{}")).value(), id);
  EXPECT_EQ(run(accounts.filter(anna, id)), R"({"room":{}})");
  EXPECT_EQ(run(accounts.filter(berta, id)), std::nullopt);
  for (const char* unknown : {"", "1", "-1", "x", "99999999999999999999", "1 "})
    EXPECT_EQ(run(accounts.filter(anna, unknown)), std::nullopt) << unknown;
  EXPECT_EQ(run(accounts.add_filter(anna, std::string(70'000, ' '))).error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace causeway
