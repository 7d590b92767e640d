// Cases of the rules on invites, those of third parties among them.
#include "homeserver/test/support/auth_rule_cases.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/events/signing.hpp"

namespace causeway::test {

namespace {

using enum AuthRule;

const crypto::SigningKey& key() {
  static const crypto::SigningKey made = (crypto::initialise(), crypto::SigningKey::generate("ed25519:0"));
  return made;
}
const crypto::SigningKey& other_key() {
  static const crypto::SigningKey made = (crypto::initialise(), crypto::SigningKey::generate("ed25519:0"));
  return made;
}

json::object signed_by(const crypto::SigningKey& signer, const std::string& mxid = stranger) {
  json::object object = {{"mxid", mxid}, {"token", "token"}, {"sender", moderator}};
  sign_json(object, "identity", signer);
  return object;
}

EventText invite(const json::value& third_party, const std::string& target = stranger,
                 const std::string& sender = moderator) {
  const json::object content = {{"membership", "invite"}, {"third_party_invite", third_party}};
  return {"m.room.member", target, sender, boost::json::serialize(content)};
}
EventText invite_signed(const json::object& signed_object) {
  return invite(json::object{{"signed", signed_object}});
}

std::vector<EventText> offer(const json::object& content) {
  return {{"m.room.third_party_invite", "token", moderator, boost::json::serialize(content)}};
}
std::vector<EventText> offer() {
  return offer({{"public_key", crypto::base64(key().public_key())}});
}

void add_third_party_cases(Cases& cases) {
  const json::object good = signed_by(key());
  cases.accepts(third_party_banned, "not banned", invite_signed(good), offer());
  cases.refuses(third_party_banned, "banned", invite(json::object{{"signed", signed_by(key(), banned)}}, banned),
                offer());
  cases.accepts(third_party_signed, "has signed", invite_signed(good), offer());
  cases.refuses(third_party_signed, "no object", invite("x"), offer());
  cases.refuses(third_party_signed, "an empty object", invite(json::object()), offer());
  cases.refuses(third_party_signed, "signed is no object", invite(json::object{{"signed", 1}}), offer());
  cases.accepts(third_party_token, "has mxid and token", invite_signed(good), offer());
  cases.refuses(third_party_token, "no token", invite_signed({{"mxid", stranger}}), offer());
  cases.refuses(third_party_token, "no mxid", invite_signed({{"token", "token"}}), offer());
  cases.accepts(third_party_mxid, "for the invited user", invite_signed(good), offer());
  cases.refuses(third_party_mxid, "for another", invite_signed(signed_by(key(), member)), offer());
  cases.accepts(third_party_offer, "was offered", invite_signed(good), offer());
  cases.refuses(third_party_offer, "was not", invite_signed(good));
  cases.accepts(third_party_sender, "by who offered it", invite_signed(good), offer());
  cases.refuses(third_party_sender, "by another", invite(json::object{{"signed", good}}, stranger, creator), offer());
}

void add_signature_cases(Cases& cases) {
  const json::object good = signed_by(key());
  const std::string raw = key().public_key();
  const json::object own = {{"public_key", crypto::base64(raw)}};
  const json::object other = {{"public_key", crypto::base64(other_key().public_key())}};
  cases.accepts(third_party_signature, "public_key", invite_signed(good), offer());
  cases.accepts(third_party_signature, "URL-safe public_key", invite_signed(good),
                offer({{"public_key", crypto::base64_url(raw)}}));
  cases.accepts(third_party_signature, "one of public_keys", invite_signed(good),
                offer({{"public_keys", json::array{other, own}}}));
  cases.leaves_to(third_party_signature, third_party_otherwise, "none of public_keys", invite_signed(good),
                  offer({{"public_keys", json::array{other, 1, json::object()}}}));
  cases.accepts(third_party_otherwise, "the right key", invite_signed(good), offer());
  cases.refuses(third_party_otherwise, "another key", invite_signed(signed_by(other_key())), offer());
  json::object tampered = good;
  tampered["sender"] = creator;
  cases.refuses(third_party_otherwise, "another text", invite_signed(tampered), offer());
}

// 500 keys by 500 signatures: the case would take minutes if all were tried.
void add_flood_case(Cases& cases) {
  json::array keys;
  json::object signed_object = {{"mxid", stranger}, {"token", "token"}};
  json::object& signatures = signed_object["signatures"].emplace_object();
  for (int i = 0; i < 500; ++i) {
    keys.push_back(json::object{{"public_key", crypto::base64(key().public_key())}});
    signatures["s" + std::to_string(i)] = json::object{{"ed25519:0", std::string(86, 'A')}};
  }
  cases.refuses(third_party_otherwise, "a flood of keys and signatures", invite_signed(signed_object),
                offer({{"public_keys", keys}}));
}

}  // namespace

void add_invite_cases(Cases& cases) {
  add_third_party_cases(cases);
  add_signature_cases(cases);
  add_flood_case(cases);
  const auto invites = [](const std::string& sender, const std::string& user) {
    return member_event(user, sender, "invite");
  };
  cases.accepts(invite_sender, "from inside", invites(moderator, stranger));
  cases.refuses(invite_sender, "from outside", invites(invited, stranger));
  cases.accepts(invite_target, "a stranger", invites(moderator, stranger));
  cases.refuses(invite_target, "a member", invites(moderator, member));
  cases.refuses(invite_target, "a banned user", invites(moderator, banned));
  cases.accepts(invite_level, "a moderator", invites(moderator, stranger));
  cases.accepts(invite_level, "a knock is answered", invites(moderator, knocked)).from(7);
  cases.leaves_to(invite_level, invite_otherwise, "below the level", invites(member, stranger));
  cases.accepts(invite_otherwise, "anyone by default", invites(member, stranger), {power_levels("{}")});
  cases.refuses(invite_otherwise, "below the level", invites(member, stranger));
}

}  // namespace causeway::test
