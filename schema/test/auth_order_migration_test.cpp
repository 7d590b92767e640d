// What migration 0009 makes of rows that were numbered before what they cite.
#include <gtest/gtest.h>

#include "schema/db/database.hpp"
#include "schema/db/migrations.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::db {
namespace {

class AuthOrderMigrationTest : public testing::Test {
 protected:
  AuthOrderMigrationTest() : connection_(test::make_empty_database()) {
    const auto& all = embedded_migrations();
    migrate(connection_, std::vector<Migration>(all.begin(), all.begin() + 8));
    connection_.exec_script(
        "insert into rooms (room_nid, room_id, version, resident, created_ts) values (1, 'room', '11', true, 0)");
  }
  void add_outlier(int nid, const std::string& auth_nids, const std::string& json) {
    connection_.exec(
        "insert into events (event_nid, room_nid, sender_nid, state_key_nid, flags, event_id, auth_nids, json) "
        "values ($1, 1, 1, 1, 0, $2, $3::bigint[], $4)",
        nid, Bytes(std::to_string(nid)), auth_nids, Bytes(json));
  }
  std::int64_t order_of(int nid) {
    return connection_.exec("select coalesce(auth_order, event_nid) from events where event_nid = $1", nid)[0][0]
        .as<std::int64_t>();
  }
  bool is_unjudged(int nid) {
    return connection_.exec("select flags & 64 from events where event_nid = $1", nid)[0][0].as<int>() != 0;
  }

  Connection connection_;
};

TEST_F(AuthOrderMigrationTest, each_event_comes_after_what_it_cites) {
  const std::string json = R"({"auth_events":["$a"]})";
  add_outlier(5, "{10,11}", json);  // an invite, placed by backfill
  add_outlier(10, "{}", R"({"auth_events":[]})");
  add_outlier(11, "{10}", json);
  add_outlier(6, "{5,10}", json);
  add_outlier(20, "{6,11}", json);
  migrate(connection_);
  EXPECT_EQ(order_of(10), 10);
  EXPECT_EQ(order_of(11), 11);
  EXPECT_EQ(order_of(5), 12);
  EXPECT_EQ(order_of(6), 13);
  EXPECT_EQ(order_of(20), 20);
}

TEST_F(AuthOrderMigrationTest, rows_in_order_stay_as_they_are) {
  add_outlier(1, "{}", R"({"auth_events":[]})");
  add_outlier(2, "{1}", R"({"auth_events":["$a"]})");
  migrate(connection_);
  EXPECT_EQ(connection_.exec("select count(*) from events where auth_order is null and flags = 0")[0][0].as<int>(), 2);
}

TEST_F(AuthOrderMigrationTest, circles_of_citations_end) {
  add_outlier(1, "{2}", R"({"auth_events":[["$2:a",{}]]})");
  add_outlier(2, "{1}", R"({"auth_events":[["$1:a",{}]]})");
  EXPECT_NO_THROW(migrate(connection_));
}

TEST_F(AuthOrderMigrationTest, outliers_whose_auth_events_were_not_here_prove_nothing) {
  add_outlier(1, "{}", R"({"auth_events":[]})");
  add_outlier(2, "{}", R"({"auth_events":["$a"]})");
  add_outlier(3, "{}", R"({"auth_events":[["$a:b",{}]]})");
  add_outlier(4, "{1}", R"({"auth_events":["$a"]})");
  migrate(connection_);
  EXPECT_FALSE(is_unjudged(1));
  EXPECT_TRUE(is_unjudged(2));
  EXPECT_TRUE(is_unjudged(3));
  EXPECT_FALSE(is_unjudged(4));
}

}  // namespace
}  // namespace causeway::db
