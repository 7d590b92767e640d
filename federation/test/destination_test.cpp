#include "federation/destination.hpp"

#include <gtest/gtest.h>

#include <set>

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
  destination.take_rows(destination.next_span(10), {});
  destination.take_rows(destination.next_receipts(10), {}, false);
  return destination;
}

TEST(Backoff, doubles_from_first_to_most) {
  const outbound::Backoff backoff{2s, 10s};
  EXPECT_EQ(backoff.next_ms(0), 2'000);
  EXPECT_EQ(backoff.next_ms(2'000), 4'000);
  EXPECT_EQ(backoff.next_ms(8'000), 10'000);
  EXPECT_EQ(backoff.next_ms(10'000), 10'000);
  EXPECT_EQ(backoff.next_ms(std::numeric_limits<std::int64_t>::max()), 10'000);
  EXPECT_EQ(backoff.retry_at(100, 1'000, 0), 1'100);
  EXPECT_EQ(backoff.retry_at(100, 1'000, 0.5), 1'200);
  EXPECT_EQ(backoff.left_ms(1'100, 400), 700);
  EXPECT_EQ(backoff.left_ms(1'100, 1'200), 0);
  EXPECT_EQ(backoff.left_ms(12'000, 0), 12'000);
  EXPECT_EQ(backoff.left_ms(12'001, 0), 0) << "no wait is so long: the clock was set back";
}

TEST(Destination, starts_behind_and_reads_the_database) {
  Destination destination(ServerNid{7}, ServerName::parse("b").value(), std::nullopt);
  EXPECT_TRUE(destination.wants_pdus());
  EXPECT_TRUE(destination.has_work());
}

TEST(Destination, sends_what_was_committed_in_order_and_at_most_fifty) {
  auto destination = caught_up();
  EXPECT_FALSE(destination.has_work());
  for (int i = 1; i <= 60; ++i)
    destination.offer(10 + i, event_by("@u:a", "$" + std::to_string(i)));
  auto first = next(destination);
  EXPECT_EQ(first.pdus.size(), 50u);
  EXPECT_EQ(first.pdus_up_to, 60);
  destination.succeeded(first);
  auto second = next(destination);
  EXPECT_EQ(second.pdus.size(), 10u);
  EXPECT_EQ(second.pdus_up_to, 70);
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

std::vector<db::OutboxRow> rows_after(StreamPosition after, std::size_t count) {
  std::vector<db::OutboxRow> rows;
  for (std::size_t i = 1; i <= count; ++i)
    rows.push_back({StreamPosition(after + i), EventId::trusted("$x"), "{}"});
  return rows;
}

// The positions that memory can tell, in the transactions that they go in.
std::vector<StreamPosition> sent_from_memory(Destination& destination) {
  std::vector<StreamPosition> cursors;
  while (!destination.wants_pdus() && destination.has_work()) {
    cursors.push_back(next(destination).pdus_up_to);
    destination.succeeded(next(destination));
  }
  return cursors;
}

TEST(Destination, that_fell_behind_sends_what_it_has_before_it_reads_the_database) {
  auto destination = caught_up();
  for (int i = 1; i <= 300; ++i)
    destination.offer(10 + i, event_by("@u:a", "$" + std::to_string(i)));
  EXPECT_FALSE(destination.wants_pdus());
  EXPECT_EQ(sent_from_memory(destination), (std::vector<StreamPosition>{60, 110, 160, 210}));
  EXPECT_TRUE(destination.wants_pdus());
  const auto span = destination.next_span(310);
  EXPECT_EQ(span.after, 210);
  EXPECT_EQ(span.up_to, 310);
}

TEST(Destination, reads_enough_of_the_database_for_several_transactions) {
  auto destination = caught_up();
  destination.fall_behind(1'000);
  const auto covered = destination.take_rows(destination.next_span(1'000), rows_after(10, max_queued_pdus));
  EXPECT_EQ(covered.up_to, 210);
  EXPECT_EQ(sent_from_memory(destination), (std::vector<StreamPosition>{60, 110, 160, 210}));
  EXPECT_EQ(destination.next_span(1'000).after, 210);
}

TEST(Destination, is_current_as_soon_as_a_read_reached_all_that_memory_does_not_have) {
  auto destination = caught_up();
  destination.fall_behind(20);
  const auto span = destination.next_span(25);
  destination.offer(24, event_by("@u:a", "$in-the-database-too"));
  destination.offer(26, event_by("@u:a", "$while-it-is-read"));
  destination.take_rows(span, rows_after(20, 5));
  destination.take_rows(destination.next_receipts(26), {}, false);
  auto transaction = next(destination);
  EXPECT_EQ(transaction.pdus.size(), 6u);
  EXPECT_EQ(transaction.pdus_up_to, 26);
  destination.succeeded(transaction);
  EXPECT_FALSE(destination.has_work());
}

TEST(Destination, reads_again_when_more_came_during_a_read_than_memory_holds) {
  auto destination = caught_up();
  destination.fall_behind(20);
  const auto span = destination.next_span(20);
  for (std::size_t i = 1; i <= max_queued_pdus + 5; ++i)
    destination.offer(20 + StreamPosition(i), event_by("@u:a", "$" + std::to_string(i)));
  destination.take_rows(span, {});
  EXPECT_TRUE(destination.wants_pdus());
  EXPECT_EQ(destination.next_span(300).after, 20);
}

TEST(Destination, looks_further_ahead_the_less_it_finds) {
  auto destination = caught_up();
  destination.fall_behind(1'000'000'000'000);
  int reads = 0;
  for (; destination.wants_pdus(); ++reads)
    destination.take_rows(destination.next_span(1'000'000'000'000), {});
  EXPECT_GT(reads, 1);
  EXPECT_LT(reads, 20);
  EXPECT_EQ(next(destination).pdus_up_to, 1'000'000'000'000);
}

TEST(Destination, given_up_for_long_reads_the_database_from_its_cursor) {
  const outbound::Backoff backoff{1h, 1h};
  auto destination = caught_up();
  destination.offer(11, event_by("@u:a", "$1"));
  destination.failed(0, backoff, 0);
  EXPECT_TRUE(destination.wants_pdus());
  EXPECT_EQ(destination.next_span(11).after, 10);
}

TEST(Destination, failure_backs_off_and_success_forgets_it) {
  const outbound::Backoff backoff{2s, 1h};
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
  const outbound::Backoff backoff{2s, 1h};
  auto destination = caught_up();
  for (int i = 0; i < 5; ++i)
    destination.failed(1'000, backoff, 0);
  EXPECT_FALSE(destination.encourage(1'500, backoff)) << "it was tried a moment ago";
  EXPECT_TRUE(destination.encourage(10'000, backoff));
  EXPECT_EQ(destination.retry_at(), 10'000);
}

db::ReceiptChange receipt_of(int user) {
  db::ReceiptChange receipt;
  receipt.room_id = RoomId::trusted("!r:a");
  receipt.user_id = UserId::trusted("@u" + std::to_string(user) + ":a");
  receipt.receipt_type = "m.read";
  receipt.event_id = EventId::trusted("$e");
  receipt.ts = 5;
  return receipt;
}

TEST(Destination, typing_is_dropped_while_it_fails_and_receipts_are_kept) {
  const outbound::Backoff backoff{2s, 1h};
  auto destination = caught_up();
  const db::ReceiptChange receipt = receipt_of(1);
  destination.offer(11, receipt);
  destination.offer_typing(receipt.room_id, receipt.user_id, true);
  destination.failed(0, backoff, 0);
  const auto transaction = next(destination);
  ASSERT_EQ(transaction.edus.size(), 1u);
  EXPECT_EQ(transaction.edus[0],
            R"({"content":{"!r:a":{"m.read":{"@u1:a":{"data":{"ts":5},"event_ids":["$e"]}}}},"edu_type":"m.receipt"})");
}

// A table of one receipt for each user, the user's number being its position.
void read_receipts(Destination& destination, int last) {
  const auto span = destination.next_receipts(last);
  std::vector<db::OwedReceipt> rows;
  for (auto at = span.after + 1; at <= span.up_to && rows.size() < max_edus; ++at) {
    const db::ReceiptChange receipt = receipt_of(static_cast<int>(at));
    rows.push_back({at, receipt.room_id, receipt.user_id, "", receipt.event_id, receipt.ts});
  }
  destination.take_rows(span, rows, rows.size() == max_edus);
}

std::set<std::string> send_all_receipts(Destination& destination, int last) {
  std::set<std::string> sent;
  while (destination.has_work()) {
    if (destination.wants_pdus()) destination.take_rows(destination.next_span(last), {});
    if (destination.wants_receipts()) read_receipts(destination, last);
    const auto transaction = next(destination);
    EXPECT_LE(transaction.edus.size(), max_edus);
    sent.insert(transaction.edus.begin(), transaction.edus.end());
    destination.succeeded(transaction);
  }
  return sent;
}

TEST(Destination, that_lags_is_sent_every_receipt_however_many_there_are) {
  auto destination = caught_up();
  for (int user = 11; user <= 1'000; ++user)
    destination.offer(user, receipt_of(user));
  EXPECT_EQ(send_all_receipts(destination, 1'000).size(), 990u);
  EXPECT_FALSE(destination.wants_receipts());
  destination.offer(1'001, receipt_of(1'001));
  EXPECT_EQ(next(destination).edus.size(), 1u);
}

TEST(Destination, given_up_for_long_is_sent_the_receipts_of_the_transaction_that_was_given_up) {
  const outbound::Backoff backoff{2min, 1h};
  auto destination = caught_up();
  for (int user = 11; user <= 150; ++user)
    destination.offer(user, receipt_of(user));
  destination.current = next(destination);
  destination.failed(0, backoff, 0);
  EXPECT_FALSE(destination.current);
  EXPECT_EQ(send_all_receipts(destination, 150).size(), 140u);
}

TEST(Destination, does_not_save_a_cursor_beyond_receipts_that_it_has_not_sent) {
  auto destination = caught_up();
  for (int user = 11; user <= 150; ++user)
    destination.offer(user, receipt_of(user));
  destination.offer(200, event_by("@u:a", "$1"));
  destination.succeeded(next(destination));
  EXPECT_EQ(destination.take_unsaved()->cursor, 110);
  destination.succeeded(next(destination));
  EXPECT_EQ(destination.take_unsaved()->cursor, 200);
}

TEST(TransactionBody, is_canonical_json) {
  EXPECT_EQ(transaction_body(ServerName::trusted("a"), 5, {"{}", "{}"}, {}),
            R"({"origin":"a","origin_server_ts":5,"pdus":[{},{}]})");
  EXPECT_EQ(transaction_body(ServerName::trusted("a"), 5, {}, {"{}"}),
            R"({"edus":[{}],"origin":"a","origin_server_ts":5,"pdus":[]})");
}

}  // namespace
}  // namespace causeway::federation
