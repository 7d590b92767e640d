#include "schema/db/database.hpp"

#include <gtest/gtest.h>

#include <map>

#include "schema/db/connection_url.hpp"
#include "schema/db/migrations.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::db {
namespace {

TEST(Migrations, a_fresh_database_gets_all_and_a_second_start_none) {
  const std::string url = test::make_empty_database();
  Connection connection(url);
  const int last = embedded_migrations().back().number;
  const auto first = migrate(connection);
  EXPECT_EQ(first.before, 0);
  EXPECT_EQ(first.after, last);
  EXPECT_EQ(migrate(connection).before, last);
}

TEST(Migrations, a_newer_database_is_refused_with_a_sentence) {
  Connection connection(test::make_empty_database());
  auto newer = embedded_migrations();
  newer.push_back({static_cast<int>(newer.size()) + 1, "9999_future", "select 1"});
  migrate(connection, newer);
  try {
    migrate(connection);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("newer version"), std::string::npos) << error.what();
  }
}

TEST(Migrations, a_changed_migration_is_refused) {
  Connection connection(test::make_empty_database());
  migrate(connection);
  auto changed = embedded_migrations();
  changed.front().sql += "\n-- edited";
  EXPECT_THROW(migrate(connection, changed), std::runtime_error);
}

TEST(Database, binary_parameters_and_arrays_survive_zero_bytes) {
  test::TestDatabase database;
  Connection connection(database.url());
  const std::string text("a\0b\xff", 4);
  EXPECT_EQ(read_bytes(connection.exec("select $1::bytea", Bytes(text))[0][0]), text);
  const std::vector<std::string> list{text, "", "x"};
  auto rows = connection.exec("select unnest($1::bytea[])", bytea_array(list));
  ASSERT_EQ(rows.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(read_bytes(rows[static_cast<int>(i)][0]), list[i]);
  const std::vector<std::int64_t> numbers{-1, 0, 9'007'199'254'740'993};
  EXPECT_EQ(read_ints(connection.exec("select $1::bigint[]", int_array(numbers))[0][0]), numbers);
  EXPECT_TRUE(connection.exec("select $1::bigint", std::optional<std::int64_t>())[0][0].is_null());
}

TEST(Database, a_statement_is_one_round_trip) {
  test::TestDatabase cluster;
  Database database({.url = cluster.url(), .connections = 1});
  auto one = [](Connection& c) { return c.exec("select 1")[0][0].as<int>(); };
  EXPECT_EQ(database.run_blocking(one), 1);
  const auto before = database.round_trips();
  EXPECT_EQ(database.run_blocking(one), 1);
  EXPECT_EQ(database.round_trips(), before + 1);
}

TEST(Database, a_broken_connection_is_reported_and_replaced) {
  test::TestDatabase cluster;
  Database database({.url = cluster.url(), .connections = 1});
  auto kill_myself = [](Connection& c) { c.exec("select pg_terminate_backend(pg_backend_pid())"); };
  EXPECT_THROW(database.run_blocking(kill_myself), Unavailable);
  auto one = [](Connection& c) { return c.exec("select 1")[0][0].as<int>(); };
  EXPECT_EQ(database.run_blocking(one), 1);
}

TEST(Database, a_database_that_is_away_is_unavailable_after_the_wait) {
  Database database({.url = "host=/nonexistent", .connections = 1, .wait_when_down = std::chrono::milliseconds(10)});
  auto one = [](Connection& c) { c.exec("select 1"); };
  EXPECT_THROW(database.run_blocking(one), Unavailable);
}

TEST(Database, a_statement_that_takes_too_long_is_ended_and_its_connection_goes_on) {
  test::TestDatabase cluster;
  Database database({.url = cluster.url(), .connections = 1, .max_statement = std::chrono::milliseconds(50)});
  auto session = [](Connection& c) { return c.exec("select pg_backend_pid()")[0][0].as<int>(); };
  auto endless = [](Connection& c) { c.exec("select pg_sleep(3600)"); };
  const int before = database.run_blocking(session);
  EXPECT_THROW(database.run_blocking(endless), Unavailable);
  EXPECT_EQ(database.run_blocking(session), before);
}

TEST(Database, a_migration_may_take_longer_than_other_statements) {
  test::TestDatabase cluster;
  Database database({.url = cluster.url(), .connections = 1, .max_statement = std::chrono::milliseconds(50)});
  auto slow = embedded_migrations();
  slow.push_back({static_cast<int>(slow.size()) + 1, "slow", "select pg_sleep(0.2)"});
  auto with_slow = [&slow](Connection& c) { return migrate(c, slow).after; };
  EXPECT_EQ(database.run_blocking(with_slow), static_cast<int>(slow.size()));
  auto endless = [](Connection& c) { c.exec("select pg_sleep(3600)"); };
  EXPECT_THROW(database.run_blocking(endless), Unavailable);
}

std::map<std::string, std::string> options_of(const std::string& url) {
  std::map<std::string, std::string> options;
  for (auto& option : read_connection_url(url))
    options.emplace(option.keyword, option.value);
  return options;
}

TEST(ConnectionUrl, waiting_for_a_server_that_is_gone_ends_when_the_url_says_and_else_soon) {
  const auto ours = options_of(with_deadlines("postgresql://me@h:1/d?connect_timeout=77&tcp_user_timeout=0"));
  EXPECT_EQ(ours.at("connect_timeout"), "77");
  EXPECT_EQ(ours.at("tcp_user_timeout"), "0");
  EXPECT_EQ(ours.at("user") + ours.at("host") + ours.at("port") + ours.at("dbname"), "meh1d");
  const auto usual = options_of(with_deadlines(R"(host=h password='a\'b\\ c')"));
  EXPECT_EQ(usual.at("password"), R"(a'b\ c)");
  for (const char* deadline : {"connect_timeout", "tcp_user_timeout", "keepalives_idle"})
    EXPECT_GT(std::stoi(usual.at(deadline)), 0) << deadline;
  EXPECT_THROW(with_deadlines("no url"), std::runtime_error);
}

}  // namespace
}  // namespace causeway::db
