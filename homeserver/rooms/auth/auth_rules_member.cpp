// The rules on m.room.member: rule 5 (v1 to v5, v12) or 4 (v6 to v11).
#include "homeserver/rooms/auth/auth_judgement.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"

namespace causeway::auth {

namespace {

// Signatures times keys of a third-party invite that are tried. One of each is usual; a hostile pair of events could
// ask for a million.
constexpr std::size_t max_third_party_checks = 128;

// The user the event is about. Its form is not checked: rule 5.1 asks only that it is there.
const std::string& target_of(const Judgement& judgement) {
  return *judgement.event().state_key();
}

bool is_own(const Judgement& judgement) {
  return target_of(judgement) == judgement.event().sender().str();
}

bool target_is_below_sender(const Judgement& judgement) {
  return judgement.levels().user(target_of(judgement)) < judgement.sender_level();
}

// The user that is let in first: content.creator or the create event's sender, never an additional creator.
std::string_view first_member(const Event& create) {
  if (create.version().creator_in_content) return json::find_string(create.content(), "creator").value_or("");
  return create.sender().str();
}

bool follows_create(const Judgement& judgement) {
  const auto& prev_events = judgement.event().prev_events();
  return prev_events.size() == 1 && prev_events.front() == judgement.create().id();
}

// Somebody in the room who could have invited. That the user's server signed is checked with the signatures.
bool authorising_user_may_invite(const Judgement& judgement) {
  const auto user = json::find_string(judgement.event().content(), "join_authorised_via_users_server");
  return user && judgement.membership_of(*user) == "join" &&
         judgement.levels().user(*user) >= judgement.levels().invite();
}

AuthDecision check_join(const Judgement& judgement) {
  if (follows_create(judgement) && target_of(judgement) == first_member(judgement.create()))
    return allow(AuthRule::join_creator);
  if (!is_own(judgement)) return refuse(AuthRule::join_sender, "users can only join for themselves");
  const std::string_view membership = judgement.sender_membership();
  if (membership == "ban") return refuse(AuthRule::join_banned, "the sender is banned");
  const RoomVersion& version = judgement.version();
  const std::string_view rule = judgement.join_rule();
  const bool welcome = membership == "invite" || membership == "join";
  if (rule == "invite" || (rule == "knock" && version.has_knocking)) {
    if (welcome) return allow(AuthRule::join_invited);
  } else if (version.lets_members_of_rooms_join(rule)) {
    if (welcome) return allow(AuthRule::join_restricted_member);
    if (authorising_user_may_invite(judgement)) return allow(AuthRule::join_restricted_otherwise);
    return refuse(AuthRule::join_restricted_authoriser, "no member who may invite has authorised the join");
  } else if (rule == "public") {
    return allow(AuthRule::join_public);
  }
  return refuse(AuthRule::join_otherwise, "the join rule does not let the sender in");
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

// Any signature in `signed` by any of the keys.
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

AuthDecision check_third_party_invite(const Judgement& judgement, const json::value& invite) {
  const Event& event = judgement.event();
  if (judgement.membership_of(target_of(judgement)) == "ban")
    return refuse(AuthRule::third_party_banned, "the invited user is banned");
  const json::object* signed_object = invite.is_object() ? json::find_object(invite.get_object(), "signed") : nullptr;
  if (!signed_object) return refuse(AuthRule::third_party_signed, "third_party_invite has no signed object");
  const auto mxid = json::find_string(*signed_object, "mxid");
  const auto token = json::find_string(*signed_object, "token");
  if (!mxid || !token) return refuse(AuthRule::third_party_token, "signed lacks mxid or token");
  if (*mxid != target_of(judgement))
    return refuse(AuthRule::third_party_mxid, "signed is for another user than the invited one");
  const Event* offer = judgement.state().find("m.room.third_party_invite", *token);
  if (!offer) return refuse(AuthRule::third_party_offer, "no m.room.third_party_invite with this token");
  if (offer->sender() != event.sender())
    return refuse(AuthRule::third_party_sender, "the m.room.third_party_invite is another user's");
  if (is_signed_by_any(*signed_object, third_party_keys(offer->content())))
    return allow(AuthRule::third_party_signature);
  return refuse(AuthRule::third_party_otherwise, "no signature matches a key of the m.room.third_party_invite");
}

AuthDecision check_invite(const Judgement& judgement) {
  if (const json::value* invite = judgement.event().content().if_contains("third_party_invite"))
    return check_third_party_invite(judgement, *invite);
  if (judgement.sender_membership() != "join") return refuse(AuthRule::invite_sender, "the sender is not in the room");
  const std::string_view target = judgement.membership_of(target_of(judgement));
  if (target == "join" || target == "ban")
    return refuse(AuthRule::invite_target,
                  target == "ban" ? "the invited user is banned" : "the invited user is in the room already");
  if (judgement.sender_level() >= judgement.levels().invite()) return allow(AuthRule::invite_level);
  return refuse(AuthRule::invite_otherwise, "the sender's power level is too low to invite");
}

AuthDecision check_leave(const Judgement& judgement) {
  const std::string_view target = judgement.membership_of(target_of(judgement));
  if (is_own(judgement)) {
    if (target == "invite" || target == "join" || target == "knock") return allow(AuthRule::leave_own);
    return refuse(AuthRule::leave_own, "the sender has nothing to leave");
  }
  if (judgement.sender_membership() != "join") return refuse(AuthRule::leave_sender, "the sender is not in the room");
  if (target == "ban" && judgement.sender_level() < judgement.levels().ban())
    return refuse(AuthRule::leave_unban, "the sender's power level is too low to lift a ban");
  if (judgement.sender_level() >= judgement.levels().kick() && target_is_below_sender(judgement))
    return allow(AuthRule::leave_kick);
  return refuse(AuthRule::leave_otherwise, "the sender's power level is too low to remove this user");
}

AuthDecision check_ban(const Judgement& judgement) {
  if (judgement.sender_membership() != "join") return refuse(AuthRule::ban_sender, "the sender is not in the room");
  if (judgement.sender_level() >= judgement.levels().ban() && target_is_below_sender(judgement))
    return allow(AuthRule::ban_level);
  return refuse(AuthRule::ban_otherwise, "the sender's power level is too low to ban this user");
}

AuthDecision check_knock(const Judgement& judgement) {
  if (!judgement.version().lets_knock(judgement.join_rule()))
    return refuse(AuthRule::knock_join_rule, "the join rule does not allow knocking");
  if (!is_own(judgement)) return refuse(AuthRule::knock_sender, "users can only knock for themselves");
  const std::string_view membership = judgement.sender_membership();
  if (membership != "ban" && membership != "invite" && membership != "join") return allow(AuthRule::knock_membership);
  return refuse(AuthRule::knock_otherwise, "the sender is banned, invited or in the room already");
}

// A value that is no user ID has no server that could have signed.
bool names_authorising_server(const json::value& user) {
  return user.is_string() && UserId::parse(std::string_view(user.get_string())).has_value();
}

}  // namespace

AuthDecision check_member(const Judgement& judgement) {
  const Event& event = judgement.event();
  const auto membership = event.membership();
  if (!event.state_key() || !membership)
    return refuse(AuthRule::member_form, "m.room.member needs a state_key and a membership");
  const RoomVersion& version = judgement.version();
  const json::value* authorising = event.content().if_contains("join_authorised_via_users_server");
  if (version.has_restricted_joins && authorising && !names_authorising_server(*authorising))
    return refuse(AuthRule::member_authoriser_signature, "join_authorised_via_users_server is not a user ID");
  if (*membership == "join") return check_join(judgement);
  if (*membership == "invite") return check_invite(judgement);
  if (*membership == "leave") return check_leave(judgement);
  if (*membership == "ban") return check_ban(judgement);
  if (*membership == "knock" && version.has_knocking) return check_knock(judgement);
  return refuse(AuthRule::membership_unknown, "the membership is unknown");
}

}  // namespace causeway::auth
