#include "federation/destination.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/room_kit.hpp"

namespace causeway::federation {
namespace {

using namespace std::chrono_literals;

EventPtr event_by(const std::string& sender, const std::string& id) {
  test::EventText text;
  text.type = "m.room.message";
  text.sender = sender;
  test::EventPlace place;
  place.id = id;
  return test::make_event(*find_room_version("11"), text, place);
}

Transaction next(Destination& destination) {
  Transaction transaction;
  destination.take_pdus(transaction);
  destination.take_edus(transaction);
  return transaction;
}

Destination caught_up() {
  Destination destination(ServerNid{7}, ServerName::parse("b").value(), db::DestinationRow{ServerNid{7}, 10});
  Transaction nothing;
  Destination::take_pdus(nothing, {}, 10);
  destination.succeeded(nothing);
  return destination;
}

TEST(Backoff, doubles_from_first_to_most) {
  const Backoff backoff{2s, 10s};
  EXPECT_EQ(backoff.next_ms(0), 2'000);
  EXPECT_EQ(backoff.next_ms(2'000), 4'000);
  EXPECT_EQ(backoff.next_ms(8'000), 10'000);
  EXPECT_EQ(backoff.next_ms(10'000), 10'000);
  EXPECT_EQ(backoff.next_ms(std::numeric_limits<std::int64_t>::max()), 10'000);
  EXPECT_EQ(backoff.retry_at(100, 1'000, 0), 1'100);
  EXPECT_EQ(backoff.retry_at(100, 1'000, 0.5), 1'200);
}

TEST(Destination, starts_behind_and_reads_the_database) {
  Destination destination(ServerNid{7}, ServerName::parse("b").value(), std::nullopt);
  EXPECT_TRUE(destination.behind());
  EXPECT_TRUE(destination.has_work());
}

TEST(Destination, sends_what_was_committed_in_order_and_at_most_fifty) {
  auto destination = caught_up();
  EXPECT_FALSE(destination.has_work());
  for (int i = 1; i <= 60; ++i)
    destination.offer(10 + i, event_by("@u:a", "$" + std::to_string(i)));
  auto first = next(destination);
  EXPECT_EQ(first.pdus.size(), 50u);
  EXPECT_EQ(first.cursor, 60);
  destination.succeeded(first);
  auto second = next(destination);
  EXPECT_EQ(second.pdus.size(), 10u);
  EXPECT_EQ(second.cursor, 70);
  destination.succeeded(second);
  EXPECT_FALSE(destination.has_work());
  EXPECT_EQ(destination.take_unsaved()->cursor, 70);
  EXPECT_FALSE(destination.take_unsaved());
}

TEST(Destination, is_not_sent_its_own_users_events) {
  auto destination = caught_up();
  destination.offer(11, event_by("@u:b", "$1"));
  EXPECT_FALSE(destination.has_work());
}

TEST(Destination, that_fell_behind_is_current_only_when_nothing_was_missed_meanwhile) {
  auto destination = caught_up();
  for (int i = 1; i <= 300; ++i)
    destination.offer(10 + i, event_by("@u:a", "$" + std::to_string(i)));
  EXPECT_TRUE(destination.behind());
  Transaction read;
  Destination::take_pdus(read, {}, 200);
  destination.succeeded(read);
  EXPECT_TRUE(destination.behind()) << "311 was offered after the database was read at 200";
  Destination::take_pdus(read, {}, 310);
  destination.succeeded(read);
  EXPECT_FALSE(destination.behind());
}

TEST(Destination, a_full_page_from_the_database_moves_the_cursor_to_its_last_row) {
  std::vector<db::OutboxRow> rows;
  for (std::size_t i = 0; i < max_pdus; ++i)
    rows.push_back({StreamPosition(20 + i), EventId::trusted("$x"), "{}"});
  Transaction transaction;
  Destination::take_pdus(transaction, std::move(rows), 1'000);
  EXPECT_EQ(transaction.cursor, 69);
}

TEST(Destination, failure_backs_off_and_success_forgets_it) {
  const Backoff backoff{2s, 1h};
  auto destination = caught_up();
  destination.offer(11, event_by("@u:a", "$1"));
  destination.failed(1'000, backoff, 0);
  EXPECT_FALSE(destination.healthy());
  EXPECT_EQ(destination.retry_at(), 3'000);
  EXPECT_EQ(destination.take_unsaved()->retry_interval_ms, 2'000);
  destination.succeeded(next(destination));
  EXPECT_TRUE(destination.healthy());
  EXPECT_EQ(destination.take_unsaved()->retry_at_ts, 0);
}

TEST(Destination, a_sign_of_life_ends_the_wait_but_not_at_every_request) {
  const Backoff backoff{2s, 1h};
  auto destination = caught_up();
  for (int i = 0; i < 5; ++i)
    destination.failed(1'000, backoff, 0);
  EXPECT_FALSE(destination.encourage(1'500, backoff)) << "it was tried a moment ago";
  EXPECT_TRUE(destination.encourage(10'000, backoff));
  EXPECT_EQ(destination.retry_at(), 10'000);
}

TEST(Destination, typing_is_dropped_while_it_fails_and_receipts_are_kept) {
  const Backoff backoff{2s, 1h};
  auto destination = caught_up();
  ReceiptChange receipt;
  receipt.room_id = RoomId::trusted("!r:a");
  receipt.user_id = UserId::trusted("@u:a");
  receipt.receipt_type = "m.read";
  receipt.event_id = EventId::trusted("$e");
  receipt.ts = 5;
  destination.offer(receipt);
  destination.offer_typing(receipt.room_id, receipt.user_id, true);
  destination.failed(0, backoff, 0);
  const auto transaction = next(destination);
  ASSERT_EQ(transaction.edus.size(), 1u);
  EXPECT_EQ(transaction.edus[0],
            R"({"content":{"!r:a":{"m.read":{"@u:a":{"data":{"ts":5},"event_ids":["$e"]}}}},"edu_type":"m.receipt"})");
}

TEST(TransactionBody, is_canonical_json) {
  EXPECT_EQ(transaction_body(ServerName::trusted("a"), 5, {"{}", "{}"}, {}),
            R"({"origin":"a","origin_server_ts":5,"pdus":[{},{}]})");
  EXPECT_EQ(transaction_body(ServerName::trusted("a"), 5, {}, {"{}"}),
            R"({"edus":[{}],"origin":"a","origin_server_ts":5,"pdus":[]})");
}

}  // namespace
}  // namespace causeway::federation
