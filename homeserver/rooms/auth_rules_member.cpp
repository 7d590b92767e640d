// Rules on m.room.member: 4 (v10, v11), 5 (v12).
#include "homeserver/rooms/auth_judgement.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"

namespace causeway::auth {

namespace {

// Signatures times keys of a third-party invite that are tried. One of each is usual; a hostile pair of events could
// ask for a million.
constexpr std::size_t max_third_party_checks = 128;

// The user the event is about. Its form is not checked: rule 4.1 (5.1) asks only that it is there.
const std::string& target_of(const Judgement& judgement) {
  return *judgement.event().state_key();
}

bool is_own(const Judgement& judgement) {
  return target_of(judgement) == judgement.event().sender().str();
}

bool target_is_below_sender(const Judgement& judgement) {
  return judgement.levels().user(target_of(judgement)) < judgement.sender_level();
}

// The user that rule 3.1 lets in first: content.creator or the create event's sender, never an additional creator.
std::string_view first_member(const Event& create) {
  if (create.version().creator_in_content) return json::find_string(create.content(), "creator").value_or("");
  return create.sender().str();
}

bool follows_create(const Judgement& judgement) {
  const auto& prev_events = judgement.event().prev_events();
  return prev_events.size() == 1 && prev_events.front() == judgement.create().id();
}

// Rule 3.5.2: somebody in the room who could have invited. That the user's server signed is checked with the
// signatures.
bool authorising_user_may_invite(const Judgement& judgement) {
  const auto user = json::find_string(judgement.event().content(), "join_authorised_via_users_server");
  return user && judgement.membership_of(*user) == "join" &&
         judgement.levels().user(*user) >= judgement.levels().invite();
}

AuthVerdict check_join(const Judgement& judgement) {
  if (follows_create(judgement) && target_of(judgement) == first_member(judgement.create())) return allowed;  // 3.1
  if (!is_own(judgement)) return judgement.refuse({"4.3.2", "5.3.2"}, "users can only join for themselves");
  const std::string_view membership = judgement.sender_membership();
  if (membership == "ban") return judgement.refuse({"4.3.3", "5.3.3"}, "the sender is banned");
  const std::string_view rule = judgement.join_rule();
  const bool welcome = membership == "invite" || membership == "join";
  if (rule == "invite" || rule == "knock") {
    if (welcome) return allowed;  // 3.4
  } else if (rule == "restricted" || rule == "knock_restricted") {
    if (welcome || authorising_user_may_invite(judgement)) return allowed;  // 3.5.1, 3.5.3
    return judgement.refuse({"4.3.5.2", "5.3.5.2"}, "no member who may invite has authorised the join");
  } else if (rule == "public") {
    return allowed;  // 3.6
  }
  return judgement.refuse({"4.3.7", "5.3.7"}, "the join rule does not let the sender in");
}

std::vector<std::string> third_party_keys(const json::object& content) {
  std::vector<std::string> keys;
  auto add = [&keys](const json::object& from) {
    const auto text = json::find_string(from, "public_key");
    if (!text || keys.size() >= max_third_party_checks) return;
    auto key = crypto::base64_decode(*text);
    if (!key) key = crypto::base64_url_decode(*text);  // spec: client-server-api#mroomthird_party_invite
    if (key) keys.push_back(std::move(*key));
  };
  add(content);
  if (const json::array* list = json::find_array(content, "public_keys"))
    for (const json::value& entry : *list)
      if (entry.is_object()) add(entry.get_object());
  return keys;
}

// Rule 4.1.7: any signature in `signed` by any of the keys.
bool is_signed_by_any(const json::object& signed_object, const std::vector<std::string>& keys) {
  const json::object* signatures = json::find_object(signed_object, "signatures");
  if (!signatures) return false;
  std::size_t checks = 0;
  for (const auto& server : *signatures) {
    if (!server.value().is_object()) continue;
    for (const auto& signature : server.value().get_object())
      for (const std::string& key : keys) {
        if (++checks > max_third_party_checks) return false;
        if (verify_json(signed_object, server.key(), signature.key(), key)) return true;
      }
  }
  return false;
}

AuthVerdict check_third_party_invite(const Judgement& judgement, const json::value& invite) {
  const Event& event = judgement.event();
  if (judgement.membership_of(target_of(judgement)) == "ban")
    return judgement.refuse({"4.4.1.1", "5.4.1.1"}, "the invited user is banned");
  const json::object* signed_object = invite.is_object() ? json::find_object(invite.get_object(), "signed") : nullptr;
  if (!signed_object) return judgement.refuse({"4.4.1.2", "5.4.1.2"}, "third_party_invite has no signed object");
  const auto mxid = json::find_string(*signed_object, "mxid");
  const auto token = json::find_string(*signed_object, "token");
  if (!mxid || !token) return judgement.refuse({"4.4.1.3", "5.4.1.3"}, "signed lacks mxid or token");
  if (*mxid != target_of(judgement))
    return judgement.refuse({"4.4.1.4", "5.4.1.4"}, "signed is for another user than the invited one");
  const Event* offer = judgement.state().find("m.room.third_party_invite", *token);
  if (!offer) return judgement.refuse({"4.4.1.5", "5.4.1.5"}, "no m.room.third_party_invite with this token");
  if (offer->sender() != event.sender())
    return judgement.refuse({"4.4.1.6", "5.4.1.6"}, "the m.room.third_party_invite is another user's");
  if (is_signed_by_any(*signed_object, third_party_keys(offer->content()))) return allowed;
  return judgement.refuse({"4.4.1.8", "5.4.1.8"}, "no signature matches a key of the m.room.third_party_invite");
}

AuthVerdict check_invite(const Judgement& judgement) {
  if (const json::value* invite = judgement.event().content().if_contains("third_party_invite"))
    return check_third_party_invite(judgement, *invite);
  if (judgement.sender_membership() != "join")
    return judgement.refuse({"4.4.2", "5.4.2"}, "the sender is not in the room");
  const std::string_view target = judgement.membership_of(target_of(judgement));
  if (target == "join" || target == "ban")
    return judgement.refuse({"4.4.3", "5.4.3"},
                            target == "ban" ? "the invited user is banned" : "the invited user is in the room already");
  if (judgement.sender_level() >= judgement.levels().invite()) return allowed;
  return judgement.refuse({"4.4.5", "5.4.5"}, "the sender's power level is too low to invite");
}

AuthVerdict check_leave(const Judgement& judgement) {
  const std::string_view target = judgement.membership_of(target_of(judgement));
  if (is_own(judgement)) {
    if (target == "invite" || target == "join" || target == "knock") return allowed;
    return judgement.refuse({"4.5.1", "5.5.1"}, "the sender has nothing to leave");
  }
  if (judgement.sender_membership() != "join")
    return judgement.refuse({"4.5.2", "5.5.2"}, "the sender is not in the room");
  if (target == "ban" && judgement.sender_level() < judgement.levels().ban())
    return judgement.refuse({"4.5.3", "5.5.3"}, "the sender's power level is too low to lift a ban");
  if (judgement.sender_level() >= judgement.levels().kick() && target_is_below_sender(judgement)) return allowed;
  return judgement.refuse({"4.5.5", "5.5.5"}, "the sender's power level is too low to remove this user");
}

AuthVerdict check_ban(const Judgement& judgement) {
  if (judgement.sender_membership() != "join")
    return judgement.refuse({"4.6.1", "5.6.1"}, "the sender is not in the room");
  if (judgement.sender_level() >= judgement.levels().ban() && target_is_below_sender(judgement)) return allowed;
  return judgement.refuse({"4.6.3", "5.6.3"}, "the sender's power level is too low to ban this user");
}

AuthVerdict check_knock(const Judgement& judgement) {
  const std::string_view rule = judgement.join_rule();
  if (rule != "knock" && rule != "knock_restricted")
    return judgement.refuse({"4.7.1", "5.7.1"}, "the join rule does not allow knocking");
  if (!is_own(judgement)) return judgement.refuse({"4.7.2", "5.7.2"}, "users can only knock for themselves");
  const std::string_view membership = judgement.sender_membership();
  if (membership != "ban" && membership != "invite" && membership != "join") return allowed;
  return judgement.refuse({"4.7.4", "5.7.4"}, "the sender is banned, invited or in the room already");
}

// Rule 2: a value that is no user ID has no server that could have signed.
bool names_authorising_server(const json::value& user) {
  return user.is_string() && UserId::parse(std::string_view(user.get_string())).has_value();
}

}  // namespace

AuthVerdict check_member(const Judgement& judgement) {
  const Event& event = judgement.event();
  const auto membership = event.membership();
  if (!event.state_key() || !membership)
    return judgement.refuse({"4.1", "5.1"}, "m.room.member needs a state_key and a membership");
  const json::value* authorising = event.content().if_contains("join_authorised_via_users_server");
  if (authorising && !names_authorising_server(*authorising))
    return judgement.refuse({"4.2.1", "5.2.1"}, "join_authorised_via_users_server is not a user ID");
  if (*membership == "join") return check_join(judgement);
  if (*membership == "invite") return check_invite(judgement);
  if (*membership == "leave") return check_leave(judgement);
  if (*membership == "ban") return check_ban(judgement);
  if (*membership == "knock") return check_knock(judgement);
  return judgement.refuse({"4.8", "5.8"}, "the membership is unknown");
}

}  // namespace causeway::auth
