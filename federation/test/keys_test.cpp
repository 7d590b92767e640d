// Key ring, request authentication and PDU checks, with real signatures and a real database.
#include <gtest/gtest.h>

#include "federation/pdu_checker.hpp"
#include "federation/request_auth.hpp"
#include "federation/test/support/key_ring_test.hpp"
#include "federation/x_matrix.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"

namespace causeway::federation {
namespace {

using namespace std::chrono_literals;
using causeway::test::run_task;
using test::KeysTest;

// --- key ring
// ----------------------------------------------------------------------------------------------------------

TEST_F(KeysTest, a_key_is_fetched_once_and_survives_a_restart) {
  EXPECT_EQ(request_key(), peer.key.public_key());
  EXPECT_EQ(request_key(), peer.key.public_key());
  EXPECT_EQ(source.asked, 1);
  KeyRing second(database, source, clock, self, 24h);
  EXPECT_EQ(run_task(reactor, second.request_key(peer.name, "ed25519:1")), peer.key.public_key());
  EXPECT_EQ(source.asked, 1);
}

TEST_F(KeysTest, those_who_want_the_same_keys_share_one_fetch) {
  int found = 0;
  std::function<Task<>(std::size_t)> job = [&](std::size_t) -> Task<> {
    if (co_await ring.request_key(peer.name, "ed25519:1")) ++found;
  };
  run_task(reactor, for_each_concurrently(10, 10, std::move(job)));
  EXPECT_EQ(found, 10);
  EXPECT_EQ(source.asked, 1);
}

TEST_F(KeysTest, an_expired_key_is_fetched_again_and_refused_if_still_expired) {
  EXPECT_TRUE(request_key());
  clock.advance(25h);
  EXPECT_FALSE(request_key());
  EXPECT_EQ(source.asked, 2);
  clock.advance(1min);
  source.publish(peer, after(24h));
  EXPECT_TRUE(request_key());
}

TEST_F(KeysTest, no_key_is_valid_for_longer_than_seven_days) {
  source.publish(peer, after(24h * 365));
  EXPECT_TRUE(event_key(after(24h * 7)));
  EXPECT_FALSE(event_key(after(24h * 7 + 1ms)));
}

TEST_F(KeysTest, an_event_from_before_the_keys_end_is_fine_after_it) {
  const auto sent = clock.now_ms();
  EXPECT_TRUE(request_key());
  clock.advance(24h * 30);
  source.documents.clear();
  EXPECT_TRUE(event_key(sent));
  EXPECT_FALSE(event_key(clock.now_ms()));
}

TEST_F(KeysTest, an_old_verify_key_is_good_for_old_events_only) {
  const auto old = crypto::SigningKey::generate("ed25519:old");
  auto& document = source.documents[peer.name];
  boost::json::object entry;
  entry["key"] = crypto::base64(old.public_key());
  entry["expired_ts"] = clock.now_ms() - 1'000;
  document["old_verify_keys"].as_object()["ed25519:old"] = std::move(entry);
  document.erase("signatures");
  sign_json(document, peer.name.str(), peer.key);
  EXPECT_FALSE(request_key("ed25519:old"));
  EXPECT_TRUE(run_task(reactor, ring.event_key(peer.name, "ed25519:old", clock.now_ms() - 1'000)));
  EXPECT_FALSE(run_task(reactor, ring.event_key(peer.name, "ed25519:old", clock.now_ms())));
}

TEST_F(KeysTest, a_document_must_be_of_the_server_and_signed_by_its_own_key) {
  auto unsigned_document = source.documents[peer.name];
  unsigned_document.erase("signatures");
  auto tampered = source.documents[peer.name];
  tampered["valid_until_ts"] = after(1h);
  auto other = own_server_keys(test::make_server("other"), after(1h));
  for (const auto& document : {unsigned_document, tampered, other}) {
    source.documents[peer.name] = document;
    EXPECT_FALSE(request_key());
    clock.advance(2h);
  }
}

TEST_F(KeysTest, a_server_that_fails_is_asked_less_and_less_often) {
  source.documents.clear();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(request_key());
    clock.advance(1s);
  }
  EXPECT_LE(source.asked, 5);
  EXPECT_GE(source.asked, 4);
}

struct NotaryTest : KeysTest {
  NotaryTest() {
    source.documents.clear();
    source.publish(notary, after(24h));
    tell(document(after(24h)));
  }
  boost::json::object document(Timestamp valid_until) const { return own_server_keys(peer, valid_until); }
  boost::json::object vouched_for(boost::json::object given) const {
    sign_json(given, notary.name.str(), notary.key);
    return given;
  }
  void tell(boost::json::object given) { source.told[{notary.name, peer.name}] = {vouched_for(std::move(given))}; }
  std::optional<std::string> key_by(const std::vector<ServerName>& notaries) {
    KeyRing trusting(database, source, clock, self, 24h, notaries);
    return run_task(reactor, trusting.event_key(peer.name, "ed25519:1", clock.now_ms()));
  }
  const LocalServer notary = test::make_server("notary");
};

TEST_F(NotaryTest, a_trusted_notary_tells_the_keys_of_a_server_that_is_gone) {
  EXPECT_EQ(key_by({notary.name}), peer.key.public_key());
  EXPECT_EQ(event_key(clock.now_ms()), peer.key.public_key()) << "it is kept";
}

TEST_F(NotaryTest, nobody_is_asked_who_is_not_trusted_or_while_the_server_answers) {
  EXPECT_FALSE(key_by({}));
  source.publish(peer, after(24h));
  EXPECT_TRUE(key_by({notary.name}));
  EXPECT_EQ(source.notaries_asked, 0);
}

TEST_F(NotaryTest, the_next_notary_is_asked_when_one_does_not_help) {
  const auto silent = test::make_server("silent");
  const auto ignorant = test::make_server("ignorant");
  source.told[{ignorant.name, peer.name}] = {};
  EXPECT_TRUE(key_by({self.name, silent.name, ignorant.name, notary.name}));
  EXPECT_EQ(source.notaries_asked, 3);
}

TEST_F(NotaryTest, an_answer_needs_the_signatures_of_the_notary_and_of_the_server) {
  source.told[{notary.name, peer.name}] = {document(after(24h))};
  EXPECT_FALSE(key_by({notary.name}));
  auto not_its_own = document(after(24h));
  not_its_own.erase("signatures");
  tell(not_its_own);
  EXPECT_FALSE(key_by({notary.name}));
  const auto impostor = test::make_server("notary");
  auto forged = document(after(24h));
  sign_json(forged, "notary", impostor.key);
  source.told[{notary.name, peer.name}] = {forged};
  EXPECT_FALSE(key_by({notary.name}));
  tell(own_server_keys(test::make_server("other"), after(24h)));
  EXPECT_FALSE(key_by({notary.name}));
}

TEST_F(NotaryTest, notaries_are_not_asked_about_each_other) {
  const auto second = test::make_server("second");
  source.documents.clear();
  for (const auto& [asked, about] : {std::pair{&second, &notary}, {&notary, &second}}) {
    auto given = own_server_keys(*about, after(24h));
    sign_json(given, asked->name.str(), asked->key);
    source.told[{asked->name, about->name}] = {given};
  }
  EXPECT_FALSE(key_by({notary.name, second.name}));
}

TEST_F(NotaryTest, a_notary_does_not_shorten_what_is_known) {
  source.publish(peer, after(24h));
  KeyRing trusting(database, source, clock, self, 24h, {notary.name});
  const auto at = after(23h);
  EXPECT_TRUE(run_task(reactor, trusting.event_key(peer.name, "ed25519:1", at)));
  source.documents.erase(peer.name);
  tell(document(after(1h)));
  clock.advance(1min);
  EXPECT_FALSE(run_task(reactor, trusting.event_key(peer.name, "ed25519:2", at)));
  EXPECT_EQ(source.notaries_asked, 1);
  EXPECT_TRUE(run_task(reactor, trusting.event_key(peer.name, "ed25519:1", at)));
}

TEST_F(NotaryTest, a_notary_does_not_bring_an_expired_key_back) {
  const auto now = test::make_server("peer", "ed25519:2");
  auto rotated = own_server_keys(now, after(24h));
  boost::json::object old;
  old["key"] = crypto::base64(peer.key.public_key());
  old["expired_ts"] = clock.now_ms() - 1'000;
  rotated["old_verify_keys"].as_object()["ed25519:1"] = std::move(old);
  rotated.erase("signatures");
  sign_json(rotated, peer.name.str(), now.key);
  source.documents[peer.name] = std::move(rotated);
  KeyRing trusting(database, source, clock, self, 24h, {notary.name});
  EXPECT_FALSE(run_task(reactor, trusting.request_key(peer.name, "ed25519:1")));
  source.documents.erase(peer.name);
  clock.advance(1min);
  EXPECT_FALSE(run_task(reactor, trusting.request_key(peer.name, "ed25519:1")));
  EXPECT_EQ(source.notaries_asked, 1);
}

TEST_F(NotaryTest, no_notary_is_asked_for_what_we_tell_as_one) {
  KeyRing trusting(database, source, clock, self, 24h, {notary.name});
  EXPECT_TRUE(run_task(reactor, trusting.documents(peer.name, clock.now_ms())).empty());
  EXPECT_EQ(source.notaries_asked, 0);
  EXPECT_TRUE(run_task(reactor, trusting.event_key(peer.name, "ed25519:1", clock.now_ms())));
}

TEST_F(KeysTest, our_own_key_is_known_without_asking) {
  EXPECT_EQ(run_task(reactor, ring.request_key(self.name, "ed25519:1")), self.key.public_key());
  EXPECT_TRUE(verify_json(ring.own_keys(), "us", "ed25519:1", self.key.public_key()));
  EXPECT_EQ(source.asked, 0);
}

// --- request authentication
// --------------------------------------------------------------------------------------------

struct RequestAuthTest : KeysTest {
  http::Request signed_request(std::optional<std::string> body, std::optional<std::string> destination = "us") {
    http::Request request;
    request.verb = body ? http::Verb::put : http::Verb::get;
    request.target = "/_matrix/federation/v1/x?y=%20z";
    request.body = body.value_or("");
    std::optional<std::string> content;
    if (body) content = json::canonical(json::parse(*body).value());
    const auto bytes = signed_request_bytes(body ? "PUT" : "GET", request.target, peer.name.str(),
                                            destination.value_or(self.name.str()), content);
    request.headers["authorization"] =
        format_x_matrix({peer.name.str(), destination, "ed25519:1", crypto::base64(peer.key.sign(bytes))});
    return request;
  }
  Result<ServerName> authenticate(http::Request request) {
    return run_task(reactor, auth.authenticate_origin(request));
  }
  void expect_refused(http::Request request) {
    const auto result = authenticate(std::move(request));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::unauthorized);
    EXPECT_EQ(result.error().status, 401u);
    EXPECT_TRUE(seen.empty());
  }
  std::vector<ServerName> seen;
  RequestAuth auth{ring, cpu, self, metrics, [this](const ServerName& server) { seen.push_back(server); }};
};

TEST_F(RequestAuthTest, a_rightly_signed_request_tells_its_origin) {
  EXPECT_EQ(authenticate(signed_request(std::nullopt)).value(), peer.name);
  EXPECT_EQ(authenticate(signed_request(R"({ "b": 1, "a": [null] })")).value(), peer.name);
  EXPECT_EQ(authenticate(signed_request("{}", std::nullopt)).value(), peer.name);
  EXPECT_EQ(seen.size(), 3u);
}

TEST_F(RequestAuthTest, anything_changed_on_the_way_is_refused) {
  auto body = signed_request(R"({"a":1})");
  body.body = R"({"a":2})";
  expect_refused(std::move(body));
  auto no_body = signed_request(R"({"a":1})");
  no_body.body.clear();
  expect_refused(std::move(no_body));
  auto target = signed_request(std::nullopt);
  target.target += "z";
  expect_refused(std::move(target));
  auto verb = signed_request(std::nullopt);
  verb.verb = http::Verb::post;
  expect_refused(std::move(verb));
  auto not_json = signed_request("{}");
  not_json.body = "{";
  expect_refused(std::move(not_json));
}

TEST_F(RequestAuthTest, a_request_for_another_server_is_refused) {
  expect_refused(signed_request(std::nullopt, "them"));
}

TEST_F(RequestAuthTest, an_origin_is_not_taken_from_another_servers_signature) {
  auto request = signed_request(std::nullopt);
  auto& header = request.headers["authorization"];
  header.replace(header.find("\"peer\""), 6, "\"liar\"");
  source.publish(test::make_server("liar"), after(1h));
  expect_refused(std::move(request));
}

TEST_F(RequestAuthTest, a_request_without_a_header_is_refused) {
  http::Request request;
  request.target = "/";
  expect_refused(std::move(request));
}

// --- PDUs
// --------------------------------------------------------------------------------------------------------------

struct PduCheckerTest : KeysTest {
  Result<VerifiedEvent> check(boost::json::object pdu, std::optional<ServerName> to_be_signed_by = std::nullopt,
                              std::string_view room_version = "11") {
    std::vector<boost::json::object> pdus;
    pdus.push_back(std::move(pdu));
    auto checked = checker.check(find_room_version(room_version), std::move(pdus), std::move(to_be_signed_by));
    return run_task(reactor, std::move(checked)).front().event;
  }
  boost::json::object pdu(const LocalServer& server) { return test::make_pdu(server, "hello", clock.now_ms()); }
  PduChecker checker{ring, cpu, metrics};
};

TEST_F(PduCheckerTest, a_rightly_signed_event_passes_as_it_is) {
  auto checked = check(pdu(peer));
  ASSERT_TRUE(checked.has_value());
  EXPECT_FALSE(checked->hash_mismatch());
  EXPECT_EQ(*json::find_string(checked->event()->content(), "body"), "hello");
}

// An event of any depth that is let in is checked, and one that breaks off has not passed.
TEST_F(PduCheckerTest, deeply_nested_events_are_checked_like_others) {
  for (const std::size_t depth : {30, 40, 60}) {
    auto text = std::string(depth, '[') + std::string(depth, ']');
    auto nested = pdu(peer);
    nested["content"].get_object()["deep"] = json::parse(text).value();
    nested.erase("signatures");
    EXPECT_FALSE(check(nested).has_value()) << depth;
    sign_json(nested, "liar", self.key);
    EXPECT_FALSE(check(nested).has_value()) << depth;
    std::vector<boost::json::object> pdus = {nested, pdu(peer)};
    auto checked = run_task(reactor, checker.check(find_room_version("11"), std::move(pdus)));
    EXPECT_FALSE(checked[0].event.has_value()) << depth;
    EXPECT_TRUE(checked[1].event.has_value()) << depth;
  }
}

TEST_F(PduCheckerTest, events_that_cite_too_many_pass_as_history_alone) {
  for (const auto& [key, limit] : {std::pair{"prev_events", max_prev_events}, {"auth_events", max_auth_events}}) {
    for (const std::size_t count : {limit, limit + 1}) {
      auto wide = pdu(peer);
      wide[key] = boost::json::array(count, "$cited");
      wide["hashes"] = boost::json::object{{"sha256", crypto::base64(crypto::as_view(content_hash(wide)))}};
      auto redacted = redact(*find_room_version("11"), wide);
      redacted.erase("signatures");
      sign_json(redacted, peer.name.str(), peer.key);
      wide["signatures"] = redacted.at("signatures");
      EXPECT_EQ(check(wide).has_value(), count == limit) << key;
      std::vector<boost::json::object> history;
      history.push_back(wide);
      auto passing = checker.passing(find_room_version("11"), std::move(history), CitationLimits::lifted);
      EXPECT_EQ(run_task(reactor, std::move(passing)).size(), 1u) << key;
    }
  }
}

TEST_F(PduCheckerTest, unsigned_and_event_id_from_outside_do_not_count) {
  auto with = pdu(peer);
  const auto id = check(with)->event()->id();
  with["event_id"] = "$claimed";
  with["unsigned"] = boost::json::object();
  auto checked = check(std::move(with));
  ASSERT_TRUE(checked.has_value());
  EXPECT_FALSE(checked->hash_mismatch());
  EXPECT_EQ(checked->event()->id(), id);
}

TEST_F(PduCheckerTest, tampered_content_leaves_the_redacted_event) {
  auto tampered = pdu(peer);
  const auto id = check(tampered)->event()->id();
  tampered["content"].as_object()["body"] = "goodbye";
  auto checked = check(std::move(tampered));
  ASSERT_TRUE(checked.has_value());
  EXPECT_TRUE(checked->hash_mismatch());
  EXPECT_TRUE(checked->event()->content().empty());
  EXPECT_EQ(checked->event()->id(), id);
}

TEST_F(PduCheckerTest, a_tampered_envelope_or_signature_is_refused) {
  auto sender = pdu(peer);
  sender["sender"] = "@other:peer";
  EXPECT_FALSE(check(std::move(sender)).has_value());
  auto signature = pdu(peer);
  signature["signatures"].as_object()["peer"].as_object()["ed25519:1"] = crypto::base64(std::string(64, 'x'));
  EXPECT_FALSE(check(std::move(signature)).has_value());
  auto none = pdu(peer);
  none["signatures"].as_object().erase("peer");
  EXPECT_FALSE(check(std::move(none)).has_value());
}

TEST_F(PduCheckerTest, another_servers_signature_is_not_the_senders) {
  const auto liar = test::make_server("liar");
  source.publish(liar, after(1h));
  auto forged = pdu(liar);
  forged["sender"] = "@user:peer";
  auto checked = check(std::move(forged));
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, ErrorCode::invalid_signature);
}

TEST_F(PduCheckerTest, a_signature_by_an_unknown_key_is_skipped_not_held_against_it) {
  auto extra = pdu(peer);
  extra["signatures"].as_object()["peer"].as_object()["ed25519:unknown"] = crypto::base64(std::string(64, 'x'));
  EXPECT_TRUE(check(std::move(extra)).has_value());
}

TEST_F(PduCheckerTest, an_event_dated_after_its_key_ended_is_refused) {
  EXPECT_FALSE(check(test::make_pdu(peer, "late", after(24h + 1ms))).has_value());
  EXPECT_TRUE(check(test::make_pdu(peer, "in time", after(24h))).has_value());
}

TEST_F(PduCheckerTest, before_version_5_keys_do_not_end) {
  for (const auto& version : supported_room_versions()) {
    auto late = check(test::make_pdu(peer, "late", after(24h + 1ms), version.id), std::nullopt, version.id);
    EXPECT_EQ(late.has_value(), !version.enforce_key_validity) << version.id;
  }
}

TEST_F(PduCheckerTest, the_server_that_chose_the_id_must_have_signed) {
  const auto chooser = test::make_server("chooser");
  source.publish(chooser, after(1h));
  const auto& version = *find_room_version("2");
  auto event = test::make_pdu(peer, "hello", clock.now_ms(), version.id);
  EXPECT_TRUE(check(event, std::nullopt, version.id).has_value());
  event["event_id"] = "$opaque:chooser";
  event["hashes"] = boost::json::object{{"sha256", crypto::base64(crypto::as_view(content_hash(event)))}};
  event["signatures"] = boost::json::object();
  const auto signed_by = [&](const LocalServer& server) {
    auto redacted = redact(version, event);
    sign_json(redacted, server.name.str(), server.key);
    event["signatures"] = redacted.at("signatures");
  };
  signed_by(peer);
  EXPECT_FALSE(check(event, std::nullopt, version.id).has_value());
  signed_by(chooser);
  auto checked = check(event, std::nullopt, version.id);
  ASSERT_TRUE(checked.has_value());
  EXPECT_EQ(checked->event()->id().str(), "$opaque:chooser");
}

TEST_F(PduCheckerTest, each_event_of_a_batch_is_judged_by_itself) {
  std::vector<boost::json::object> pdus;
  for (int i = 0; i < 300; ++i)
    pdus.push_back(test::make_pdu(peer, std::to_string(i), clock.now_ms()));
  pdus[150]["depth"] = -1;
  auto results = run_task(reactor, checker.check(find_room_version("11"), std::move(pdus), std::nullopt));
  ASSERT_EQ(results.size(), 300u);
  for (std::size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(results[i].event.has_value(), i != 150) << i;
  EXPECT_EQ(source.asked, 1);
}

TEST_F(PduCheckerTest, our_own_signature_may_still_be_missing_where_it_is_ours_to_add) {
  EventDraft draft;
  draft.version = find_room_version("11");
  draft.room_id = RoomId::trusted("!room:us");
  draft.sender = UserId::trusted("@user:peer");
  draft.type = "m.room.member";
  draft.state_key = "@user:peer";
  draft.content["membership"] = "join";
  draft.content["join_authorised_via_users_server"] = "@admin:us";
  draft.origin_server_ts = clock.now_ms();
  auto event = build_event(std::move(draft), peer.name, peer.key).value();
  const auto object = json::parse_object(event->json()).value();
  EXPECT_FALSE(check(object).has_value());
  EXPECT_TRUE(check(object, self.name).has_value());
}

}  // namespace
}  // namespace causeway::federation
