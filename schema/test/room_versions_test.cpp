// What each room version makes of the same events: their IDs, their format, what redaction leaves, who must sign.
#include "schema/events/room_version.hpp"

#include <gtest/gtest.h>

#include "schema/events/event.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway {
namespace {

const crypto::SigningKey& test_key() {
  static const crypto::SigningKey key = (crypto::initialise(), crypto::SigningKey::generate("ed25519:1"));
  return key;
}

boost::json::object parse(std::string_view text) {
  return json::parse_object(text).value();
}

class RoomVersionTest : public testing::TestWithParam<int> {
 protected:
  const RoomVersion& version() const { return *find_room_version(std::to_string(GetParam())); }
  bool since(int first) const { return GetParam() >= first; }

  EventDraft message() const {
    EventDraft draft;
    draft.version = &version();
    draft.room_id = RoomId::trusted(since(12) ? "!" + std::string(43, 'A') : "!r:domain");
    draft.sender = UserId::trusted("@u:domain");
    draft.type = "m.room.message";
    draft.content = parse(R"({"body":"hello"})");
    draft.prev_events = {{EventId::trusted("$a:domain"), crypto::sha256("a")}};
    draft.auth_events = {{EventId::trusted("$b:domain"), crypto::sha256("b")}, EventId::trusted("$c:domain")};
    return draft;
  }
  EventPtr build(EventDraft draft) const {
    return build_event(std::move(draft), ServerName::trusted("domain"), test_key()).value();
  }
  boost::json::object pdu() const { return parse(build(message())->json()); }
  bool accepts(boost::json::object event) const { return Event::from_pdu(version(), std::move(event)).has_value(); }

  // The members of `content` that redaction keeps of an event of this type.
  std::string kept(std::string_view type, const boost::json::object& content) const {
    const auto redacted = redact(version(), boost::json::object{{"type", type}, {"content", content}});
    return json::canonical(redacted.at("content"));
  }
};

INSTANTIATE_TEST_SUITE_P(EveryVersion, RoomVersionTest, testing::Range(1, 13),
                         [](const auto& version) { return "v" + std::to_string(version.param); });

TEST(RoomVersions, one_to_twelve_are_supported_in_order) {
  ASSERT_EQ(supported_room_versions().size(), 12u);
  for (int number = 1; number <= 12; ++number)
    EXPECT_EQ(supported_room_versions()[static_cast<std::size_t>(number) - 1].id, std::to_string(number));
  EXPECT_EQ(find_room_version("13"), nullptr);
  EXPECT_EQ(find_room_version(""), nullptr);
}

TEST_P(RoomVersionTest, traits_are_those_of_the_feature_matrix) {
  EXPECT_EQ(version().has_knocking, since(7));
  EXPECT_EQ(version().has_restricted_joins, since(8));
  EXPECT_EQ(version().has_knock_restricted, since(10));
  EXPECT_EQ(version().strict_canonical_json, since(6));
  EXPECT_EQ(version().enforce_key_validity, since(5));
  EXPECT_EQ(version().redactions_are_authorised, !since(3));
  EXPECT_EQ(version().aliases_are_authorised, !since(6));
  EXPECT_EQ(version().notifications_are_limited, since(6));
  EXPECT_EQ(version().creator_in_content, !since(11));
  EXPECT_EQ(version().redacts_in_content, since(11));
  EXPECT_EQ(version().room_id_is_create_hash, since(12));
  EXPECT_EQ(version().creators_are_privileged, since(12));
  EXPECT_EQ(version().state_resolution, since(12)  ? StateResolution::v2_1
                                        : since(2) ? StateResolution::v2
                                                   : StateResolution::v1);
}

// spec: rooms/v1#event-ids, rooms/v3#event-ids, rooms/v4#event-ids
TEST_P(RoomVersionTest, event_ids_are_chosen_or_the_reference_hash) {
  std::string url_safe, standard;
  for (int count = 0; count < 64; ++count) {
    EventDraft draft = message();
    draft.depth = count;
    const EventPtr event = build(draft);
    const std::string raw(crypto::as_view(reference_hash(*event)));
    if (since(4))
      EXPECT_EQ(event->id().str(), "$" + crypto::base64_url(raw));
    else if (since(3))
      EXPECT_EQ(event->id().str(), "$" + crypto::base64(raw));
    else
      EXPECT_EQ(event->id().server(), "domain");
    EXPECT_EQ(EventId::from_db(event->id().to_db()), event->id());
  }
  EXPECT_NE(build(message())->id() == build(message())->id(), !since(3)) << "chosen IDs are never given twice";
}

TEST_P(RoomVersionTest, a_built_event_reads_back_from_the_wire_and_from_storage) {
  const EventPtr built = build(message());
  const auto object = parse(built->json());
  EXPECT_EQ(object.contains("event_id"), !since(3));
  EXPECT_TRUE(content_hash_matches(object));
  const std::vector<EventId> auth = {EventId::trusted("$b:domain"), EventId::trusted("$c:domain")};
  for (const EventPtr& event : {Event::from_pdu(version(), object).value(),
                                Event::from_stored(version(), built->id(), built->json()), redact(*built)}) {
    EXPECT_EQ(event->id(), built->id());
    EXPECT_EQ(event->prev_events(), std::vector(1, EventId::trusted("$a:domain")));
    EXPECT_EQ(event->auth_events(), auth);
    EXPECT_EQ(crypto::as_view(reference_hash(*event)), crypto::as_view(reference_hash(*built)));
  }
  const auto signatures = signatures_of(*built, ServerName::trusted("domain"));
  ASSERT_EQ(signatures.size(), 1u);
  EXPECT_TRUE(crypto::verify(test_key().public_key(), signed_bytes(*built), signatures[0].signature));
}

TEST_P(RoomVersionTest, other_events_are_cited_with_their_hash_in_versions_1_and_2) {
  const auto prev = pdu().at("prev_events").as_array();
  if (since(3)) {
    EXPECT_EQ(prev, boost::json::array{"$a:domain"});
    return;
  }
  const std::string hash = crypto::base64(crypto::as_view(crypto::sha256("a")));
  EXPECT_EQ(json::canonical(prev), R"([["$a:domain",{"sha256":")" + hash + R"("}]])");
}

TEST_P(RoomVersionTest, the_other_format_is_refused) {
  auto other = pdu();
  other["prev_events"] =
      since(3) ? json::parse(R"([["$a:domain",{"sha256":"x"}]])").value() : json::parse(R"(["$a:domain"])").value();
  EXPECT_FALSE(accepts(other));
  if (since(3)) return;
  for (const char* prev : {"[[]]", R"([["$a:domain"]])", R"([[{},"$a:domain"]])", R"([["a",{}]])", R"([["$a:d",1]])"}) {
    other["prev_events"] = json::parse(prev).value();
    EXPECT_FALSE(accepts(other)) << prev;
  }
}

TEST_P(RoomVersionTest, a_chosen_event_id_names_a_server) {
  auto event = pdu();
  EXPECT_TRUE(accepts(event));
  for (boost::json::value bad :
       {boost::json::value("$" + std::string(43, 'x')), boost::json::value("x:domain"), boost::json::value(5),
        boost::json::value("$x:"), boost::json::value("$" + std::string(300, 'x') + ":domain")}) {
    event["event_id"] = bad;
    EXPECT_EQ(accepts(event), since(3)) << bad;
  }
  event.erase("event_id");
  EXPECT_EQ(accepts(event), since(3));
}

// spec: the PDU examples of the Server-Server API.
TEST_P(RoomVersionTest, examples_of_the_specification_are_read) {
  auto event = parse(R"({"room_id":"!UcYsUzyxTGDxLBEvLy:example.org","sender":"@alice:example.com",
    "origin_server_ts":1404838188000,"depth":12,"type":"m.room.message","content":{"key":"value"},
    "hashes":{"sha256":"thishashcoversallfieldsincasethisisredacted"},"signatures":{"example.com":{
    "ed25519:key_version":"these86bytesofbase64signaturecoveressentialfieldsincludinghashessocancheckredactedpdus"}},
    "unsigned":{"age":4612}})");
  if (since(12)) event["room_id"] = "!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ";
  const char* cited = since(3) ? R"(["$base64encodedeventid","$adifferenteventid"])" : R"([["$af232176:example.org",
                                    {"sha256":"abase64encodedsha256hashshouldbe43byteslong"}]])";
  event["prev_events"] = event["auth_events"] = json::parse(cited).value();
  if (!since(3)) event["event_id"] = "$a4ecee13e2accdadf56c1025:example.com";
  const auto read = Event::from_pdu(version(), event);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)->prev_events().size(), since(3) ? 2u : 1u);
  const std::string& id = (*read)->id().str();
  EXPECT_TRUE(since(3) ? id.size() == 44 : id == "$a4ecee13e2accdadf56c1025:example.com") << id;
}

// spec: rooms/v6#canonical-json
TEST_P(RoomVersionTest, numbers_are_strict_from_version_6_on) {
  const auto with = [&](const char* number) {
    auto event = pdu();
    event["content"] = boost::json::object{{"n", json::parse(number).value()}};
    return event;
  };
  for (const char* loose : {"1.5", "9007199254740992", "-9007199254740993", "18446744073709551615", "1e300"})
    EXPECT_EQ(accepts(with(loose)), !since(6)) << loose;
  EXPECT_TRUE(accepts(with("9007199254740991")));
  EXPECT_FALSE(accepts(with("1e400")));
  EventDraft draft = message();
  draft.content["n"] = 0.1;
  EXPECT_EQ(build_event(draft, ServerName::trusted("domain"), test_key()).has_value(), !since(6));
}

TEST_P(RoomVersionTest, depth_reaches_53_bits_from_version_6_on_and_63_before) {
  auto event = pdu();
  event["depth"] = std::int64_t{1} << 53;
  EXPECT_EQ(accepts(event), !since(6));
  event["depth"] = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(accepts(event), !since(6));
  event["depth"] = std::numeric_limits<std::uint64_t>::max();
  EXPECT_FALSE(accepts(event));
  EventDraft draft = message();
  draft.depth = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(build(draft)->depth(), since(6) ? json::max_canonical_int : std::numeric_limits<std::int64_t>::max());
}

// spec: server-server-api#validating-hashes-and-signatures-on-received-events
TEST_P(RoomVersionTest, the_server_of_the_event_id_signs_in_versions_1_and_2) {
  auto event = pdu();
  event["event_id"] = "$x:elsewhere";
  std::vector<ServerName> signers = {ServerName::trusted("domain")};
  if (!since(3)) signers.push_back(ServerName::trusted("elsewhere"));
  EXPECT_EQ(required_signers(*Event::from_pdu(version(), event).value()), signers);
}

// spec: rooms/v8#authorisation-rules
TEST_P(RoomVersionTest, the_authorising_server_signs_from_version_8_on) {
  EventDraft draft = message();
  draft.type = "m.room.member";
  draft.state_key = "@u:domain";
  draft.content = parse(R"({"membership":"join","join_authorised_via_users_server":"@v:via"})");
  std::vector<ServerName> signers = {ServerName::trusted("domain")};
  if (since(8)) signers.push_back(ServerName::trusted("via"));
  EXPECT_EQ(required_signers(*build(draft)), signers);
}

// spec: rooms/v1#redactions and the same section of v6, v8, v9 and v11
TEST_P(RoomVersionTest, redaction_keeps_what_the_version_says) {
  EXPECT_EQ(kept("m.room.aliases", parse(R"({"aliases":["#a:b"],"x":1})")),
            since(6) ? "{}" : R"({"aliases":["#a:b"]})");
  EXPECT_EQ(kept("m.room.join_rules", parse(R"({"allow":[],"join_rule":"restricted","x":1})")),
            since(8) ? R"({"allow":[],"join_rule":"restricted"})" : R"({"join_rule":"restricted"})");
  EXPECT_EQ(
      kept("m.room.member", parse(R"({"join_authorised_via_users_server":"@a:b","membership":"join","x":1})")),
      since(9) ? R"({"join_authorised_via_users_server":"@a:b","membership":"join"})" : R"({"membership":"join"})");
  EXPECT_EQ(
      kept("m.room.member", parse(R"({"membership":"invite","third_party_invite":{"display_name":"n","signed":{}}})")),
      since(11) ? R"({"membership":"invite","third_party_invite":{"signed":{}}})" : R"({"membership":"invite"})");
  EXPECT_EQ(kept("m.room.create", parse(R"({"creator":"@a:b","m.federate":false})")),
            since(11) ? R"({"creator":"@a:b","m.federate":false})" : R"({"creator":"@a:b"})");
  EXPECT_EQ(kept("m.room.redaction", parse(R"({"reason":"r","redacts":"$x"})")),
            since(11) ? R"({"redacts":"$x"})" : "{}");
  EXPECT_EQ(kept("m.room.history_visibility", parse(R"({"history_visibility":"joined","x":1})")),
            R"({"history_visibility":"joined"})");
  const std::string levels =
      R"("events":{},"events_default":1,"kick":1,"redact":1,"state_default":1,"users":{},"users_default":1})";
  EXPECT_EQ(kept("m.room.power_levels", parse(R"({"ban":1,"invite":1,"notifications":{},)" + levels)),
            (since(11) ? R"({"ban":1,"events":{},"events_default":1,"invite":1,)"
                       : R"({"ban":1,"events":{},"events_default":1,)") +
                std::string(R"("kick":1,"redact":1,"state_default":1,"users":{},"users_default":1})"));
  EXPECT_EQ(kept("m.room.topic", parse(R"({"topic":"t"})")), "{}");
}

TEST_P(RoomVersionTest, redaction_keeps_the_members_of_old_events_until_version_11) {
  const auto redacted = redact(
      version(),
      parse(R"({"type":"x","content":{},"origin":"o","membership":"join","prev_state":[],"age_ts":1,"redacts":"$a"})"));
  for (const char* key : {"origin", "membership", "prev_state"})
    EXPECT_EQ(redacted.contains(key), !since(11)) << key;
  for (const char* key : {"age_ts", "redacts"})
    EXPECT_FALSE(redacted.contains(key)) << key;
}

// spec: appendices#event-signing
TEST(RoomVersions, events_of_version_1_are_signed_as_the_specification_does) {
  const std::string seed = *crypto::base64_decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1");
  std::array<unsigned char, 32> raw;
  std::ranges::copy(seed, raw.begin());
  const crypto::SigningKey key("ed25519:1", raw);
  auto event = parse(R"({"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain",
    "origin_server_ts":1000000,"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},
    "unsigned":{"age_ts":1000000}})");
  event["hashes"] = boost::json::object{{"sha256", crypto::base64(crypto::as_view(content_hash(event)))}};
  auto redacted = redact(*find_room_version("1"), event);
  sign_json(redacted, "domain", key);
  EXPECT_EQ(redacted.at("signatures").at("domain").at("ed25519:1").as_string(),
            "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA");
}

TEST(CanonicalJson, writes_numbers_that_only_old_rooms_hold_as_they_were_hashed) {
  for (const char* text :
       {"0.1", "-0.0", "50.57", "5.0", "-1234.5", "0.0001", "1e-05", "1.5e-07", "1e+16", "1.25e+300",
        "1000000000000000.5", "0.30000000000000004", "0.6931471805599453", "-2.2250738585072014e-308",
        "18446744073709551615", "9007199254740993", "-9223372036854775808"})
    EXPECT_EQ(json::canonical(json::parse(text).value()), text);
  EXPECT_EQ(json::canonical(json::parse("5.114698E4").value()), "51146.98");
  EXPECT_EQ(json::canonical(json::parse("1E2").value()), "100.0");
}

}  // namespace
}  // namespace causeway
