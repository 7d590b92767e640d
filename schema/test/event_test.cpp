#include "schema/events/event.hpp"

#include <gtest/gtest.h>

#include "schema/events/client_event.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway {
namespace {

crypto::SigningKey test_key() {
  const std::string seed = *crypto::base64_decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1");
  std::array<unsigned char, 32> raw;
  std::ranges::copy(seed, raw.begin());
  return crypto::SigningKey("ed25519:1", raw);
}

boost::json::object parse(std::string_view text) {
  return json::parse_object(text).value();
}

std::string signature_of(const boost::json::object& object) {
  return std::string(object.at("signatures").at("domain").at("ed25519:1").as_string());
}

EventDraft message_draft(std::string_view version = "11") {
  EventDraft draft;
  draft.version = find_room_version(version);
  draft.room_id = RoomId::trusted("!r:domain");
  draft.sender = UserId::trusted("@u:domain");
  draft.type = "m.room.message";
  draft.content = parse(R"({"body":"hello","msgtype":"m.text"})");
  draft.origin_server_ts = 1'000'000;
  draft.depth = 3;
  draft.prev_events = {EventId::trusted("$a")};
  draft.auth_events = {EventId::trusted("$b"), EventId::trusted("$c")};
  return draft;
}

EventPtr build(EventDraft draft) {
  return build_event(std::move(draft), ServerName::trusted("domain"), test_key()).value();
}

// spec: appendices#cryptographic-test-vectors
TEST(Signing, signs_json_as_the_specification_does) {
  auto empty = parse("{}");
  sign_json(empty, "domain", test_key());
  EXPECT_EQ(signature_of(empty),
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ");
  auto data = parse(R"({"one":1,"two":"Two"})");
  sign_json(data, "domain", test_key());
  EXPECT_EQ(signature_of(data),
            "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw");
  EXPECT_TRUE(verify_json(data, "domain", "ed25519:1", test_key().public_key()));
  data["one"] = 2;
  EXPECT_FALSE(verify_json(data, "domain", "ed25519:1", test_key().public_key()));
}

// spec: appendices#event-signing. The vectors are of room version 1; content hashes are the same in all versions.
TEST(Signing, hashes_events_as_the_specification_does) {
  auto minimal = parse(R"({"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,
    "signatures":{},"hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,
    "unsigned":{"age_ts":1000000}})");
  EXPECT_EQ(crypto::base64(crypto::as_view(content_hash(minimal))), "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos");
  auto redactable = parse(R"({"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain",
    "origin_server_ts":1000000,"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},
    "unsigned":{"age_ts":1000000}})");
  EXPECT_EQ(crypto::base64(crypto::as_view(content_hash(redactable))), "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g");
}

// The signature covers what redaction of that version keeps; `origin` is kept before version 11.
TEST(Signing, signs_the_redacted_event) {
  auto minimal = parse(R"({"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,
    "signatures":{},"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"type":"X","content":{},
    "prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}})");
  auto redacted = redact(*find_room_version("10"), minimal);
  sign_json(redacted, "domain", test_key());
  EXPECT_EQ(signature_of(redacted),
            "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg");
}

TEST(CanonicalJson, sorts_keys_and_keeps_only_prescribed_escapes) {
  auto value = json::parse(R"({ "b":"2", "a": {"ü":1,"z":[true,null]}, "\u0007":"\u65e5\/\n\u0001" })").value();
  EXPECT_EQ(json::canonical(value),
            "{\"\\u0007\":\"\xE6\x97\xA5/\\n\\u0001\",\"a\":{\"z\":[true,null],\"\xC3\xBC\":1},\"b\":\"2\"}");
}

TEST(CanonicalJson, refuses_floats_and_integers_beyond_53_bits) {
  for (auto text : {"1.0", "1e3", "9007199254740992", "-9007199254740992", "18446744073709551615", R"({"a":[1.5]})"})
    EXPECT_FALSE(json::check_canonical(json::parse(text).value())) << text;
  for (auto text : {"9007199254740991", "-9007199254740991", "0", R"({"a":[1,"1.5"]})"})
    EXPECT_TRUE(json::check_canonical(json::parse(text).value())) << text;
}

TEST(Json, refuses_what_is_not_json_or_too_deep) {
  EXPECT_EQ(json::parse("{").error().code, ErrorCode::not_json);
  EXPECT_EQ(json::parse("\"\xff\"").error().code, ErrorCode::not_json);
  EXPECT_EQ(json::parse(std::string(1000, '[') + std::string(1000, ']')).error().code, ErrorCode::bad_json);
  EXPECT_EQ(json::parse_object("[]").error().code, ErrorCode::bad_json);
}

TEST(Event, built_event_reads_back_the_same_from_the_wire_and_from_storage) {
  for (auto version : {"10", "11", "12"}) {
    auto draft = message_draft(version);
    if (draft.version->room_id_is_create_hash) draft.room_id = RoomId::trusted("!" + std::string(43, 'A'));
    const EventPtr built = build(draft);
    const auto pdu = parse(built->json());
    EXPECT_TRUE(content_hash_matches(pdu));
    const EventPtr received = Event::from_pdu(*draft.version, pdu).value();
    const EventPtr stored = Event::from_stored(*draft.version, built->id(), built->json());
    for (const EventPtr& event : {received, stored}) {
      EXPECT_EQ(event->id(), built->id());
      EXPECT_EQ(event->json(), built->json());
      EXPECT_EQ(event->type(), "m.room.message");
      EXPECT_EQ(event->sender().str(), "@u:domain");
      EXPECT_EQ(event->depth(), 3);
      EXPECT_EQ(event->auth_events().size(), 2u);
      EXPECT_EQ(event->content().at("body").as_string(), "hello");
      EXPECT_FALSE(event->is_state());
    }
    const auto signatures = signatures_of(*built, ServerName::trusted("domain"));
    ASSERT_EQ(signatures.size(), 1u);
    EXPECT_TRUE(crypto::verify(test_key().public_key(), signed_bytes(*built), signatures[0].signature));
  }
}

TEST(Event, id_does_not_change_with_redaction_or_further_signatures) {
  const EventPtr event = build(message_draft());
  const EventPtr redacted = redact(*event);
  EXPECT_EQ(redacted->content_json(), "{}");
  EXPECT_EQ(Event::from_pdu(event->version(), parse(redacted->json())).value()->id(), event->id());
  const EventPtr twice = add_signature(*event, ServerName::trusted("other"), test_key());
  EXPECT_EQ(Event::from_pdu(event->version(), parse(twice->json())).value()->id(), event->id());
  EXPECT_EQ(signatures_of(*twice, ServerName::trusted("other")).size(), 1u);
}

TEST(Event, create_event_of_version_12_names_its_room) {
  EventDraft draft;
  draft.version = find_room_version("12");
  draft.sender = UserId::trusted("@u:domain");
  draft.type = "m.room.create";
  draft.state_key = "";
  draft.content = parse(R"({"room_version":"12"})");
  const EventPtr create = build(draft);
  EXPECT_EQ(create->room_id().str(), "!" + create->id().str().substr(1));
  EXPECT_TRUE(RoomId::parse(create->room_id().str()));
}

TEST(Event, holds_nul_characters_in_type_and_state_key) {
  auto draft = message_draft();
  draft.type = std::string("a\0b", 3);
  draft.state_key = std::string("\0", 1);
  const EventPtr event = build(draft);
  const EventPtr again = Event::from_stored(event->version(), event->id(), event->json());
  EXPECT_EQ(again->type(), draft.type);
  EXPECT_EQ(again->state_key(), draft.state_key);
}

TEST(Event, size_limits_are_those_of_the_specification) {
  auto draft = message_draft();
  const std::size_t overhead = build(draft)->json().size() - 5;  // "hello"
  draft.content["body"] = std::string(max_event_bytes - overhead, 'x');
  EXPECT_EQ(build(draft)->json().size(), max_event_bytes);
  draft.content["body"] = std::string(max_event_bytes - overhead + 1, 'x');
  EXPECT_EQ(build_event(draft, ServerName::trusted("domain"), test_key()).error().code, ErrorCode::too_large);
  draft = message_draft();
  draft.type = std::string(256, 't');
  EXPECT_EQ(build_event(draft, ServerName::trusted("domain"), test_key()).error().code, ErrorCode::too_large);
  draft = message_draft();
  draft.content["n"] = 1.5;
  EXPECT_EQ(build_event(draft, ServerName::trusted("domain"), test_key()).error().code, ErrorCode::bad_json);
}

std::string nested_objects(std::size_t depth) {
  std::string open, close;
  for (std::size_t i = 0; i < depth; ++i) {
    open += R"({"a":)";
    close += '}';
  }
  return open + "1" + close;
}

// A transaction puts two levels around the event; what no peer could read must not get into a room.
TEST(Event, is_nested_as_deeply_as_a_transaction_can_carry_and_no_deeper) {
  constexpr std::size_t deepest = json::max_depth - 3;  // the transaction, its array, the event
  auto draft = message_draft();
  draft.content = parse(nested_objects(deepest));
  const EventPtr event = build(draft);
  EXPECT_TRUE(json::parse_object("{\"pdus\":[" + event->json() + "]}"));
  EXPECT_EQ(Event::from_pdu(event->version(), parse(event->json())).value()->id(), event->id());
  EXPECT_EQ(json::canonical(event->content()), event->content_json());
  EXPECT_EQ(redact(*event)->id(), event->id());
  EXPECT_EQ(signatures_of(*event, ServerName::trusted("domain")).size(), 1u);
  EXPECT_EQ(add_signature(*event, ServerName::trusted("other"), test_key())->id(), event->id());
  draft.content = parse(nested_objects(deepest + 1));
  EXPECT_EQ(build_event(draft, ServerName::trusted("domain"), test_key()).error().code, ErrorCode::bad_json);
}

TEST(Event, none_is_built_that_cites_too_many) {
  const auto citing = [](std::size_t prev_events, std::size_t auth_events) {
    EventDraft draft = message_draft();
    draft.prev_events.assign(prev_events, EventId::trusted("$a"));
    draft.auth_events.assign(auth_events, EventId::trusted("$a"));
    return build_event(std::move(draft), ServerName::trusted("domain"), test_key());
  };
  EXPECT_TRUE(citing(20, 10));
  EXPECT_EQ(citing(21, 10).error().code, ErrorCode::bad_json);
  EXPECT_EQ(citing(20, 11).error().code, ErrorCode::bad_json);
}

TEST(Event, malformed_pdus_are_refused) {
  const auto good = parse(build(message_draft())->json());
  const auto refused = [&](std::string_view key, boost::json::value value) {
    auto bad = good;
    bad[key] = std::move(value);
    return !Event::from_pdu(*find_room_version("11"), bad).has_value();
  };
  EXPECT_TRUE(refused("sender", "nobody"));
  EXPECT_TRUE(refused("room_id", 5));
  EXPECT_TRUE(refused("content", "text"));
  EXPECT_TRUE(refused("depth", -1));
  EXPECT_TRUE(refused("depth", 1.5));
  EXPECT_TRUE(refused("state_key", nullptr));
  EXPECT_TRUE(refused("prev_events", boost::json::array{"a"}));
  EXPECT_TRUE(refused("hashes", nullptr));
  for (auto key : {"type", "sender", "room_id", "content", "depth", "origin_server_ts", "prev_events", "auth_events"}) {
    auto bad = good;
    bad.erase(key);
    EXPECT_FALSE(Event::from_pdu(*find_room_version("11"), bad)) << key;
  }
}

TEST(ClientEvent, is_spliced_from_the_stored_bytes) {
  const EventPtr event = build(message_draft());
  std::string text;
  append_client_event(text, *event, ClientEventFormat::sync, R"({"age":5})");
  EXPECT_EQ(
      json::parse_object(text).value(),
      parse(R"({"content":{"body":"hello","msgtype":"m.text"},"event_id":")" + event->id().str() +
            R"(","origin_server_ts":1000000,"sender":"@u:domain","type":"m.room.message","unsigned":{"age":5}})"));
  std::string stripped;
  append_client_event(stripped, *event, ClientEventFormat::stripped, "");
  EXPECT_EQ(parse(stripped),
            parse(R"({"content":{"body":"hello","msgtype":"m.text"},"sender":"@u:domain","type":"m.room.message"})"));
}

TEST(ClientEvent, redactions_carry_their_target_in_both_places) {
  for (auto version : {"10", "11"}) {
    auto draft = message_draft(version);
    draft.type = "m.room.redaction";
    draft.content = parse(R"({"reason":"spam"})");
    draft.redacts = EventId::trusted("$target");
    std::string text;
    append_client_event(text, *build(draft), ClientEventFormat::full, "");
    const auto shown = parse(text);
    EXPECT_EQ(shown.at("redacts").as_string(), "$target");
    EXPECT_EQ(shown.at("content").at("redacts").as_string(), "$target");
    EXPECT_EQ(shown.at("content").at("reason").as_string(), "spam");
  }
}

TEST(Redaction, keeps_what_each_version_keeps) {
  const auto levels = parse(R"({"type":"m.room.power_levels","content":{"invite":5,"ban":1,"x":2},"origin":"o"})");
  EXPECT_EQ(redact(*find_room_version("10"), levels),
            parse(R"({"type":"m.room.power_levels","content":{"ban":1},"origin":"o"})"));
  EXPECT_EQ(redact(*find_room_version("11"), levels),
            parse(R"({"type":"m.room.power_levels","content":{"ban":1,"invite":5}})"));
  const auto member = parse(R"({"type":"m.room.member","content":{"membership":"invite","reason":"x",
    "third_party_invite":{"display_name":"n","signed":{"mxid":"@a:b"}}}})");
  EXPECT_EQ(
      redact(*find_room_version("11"), member),
      parse(
          R"({"type":"m.room.member","content":{"membership":"invite","third_party_invite":{"signed":{"mxid":"@a:b"}}}})"));
  EXPECT_EQ(redact(*find_room_version("10"), member),
            parse(R"({"type":"m.room.member","content":{"membership":"invite"}})"));
}

}  // namespace
}  // namespace causeway
