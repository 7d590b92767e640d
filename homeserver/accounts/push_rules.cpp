#include "homeserver/accounts/push_rules.hpp"

#include "schema/json/json.hpp"

namespace causeway {

namespace {

using json::array;
using json::object;
using json::value;

// A list of exactly these, whatever they are: an initialiser list of one array would be that array.
template <class... Elements>
array list(Elements... elements) {
  array out;
  (out.emplace_back(std::move(elements)), ...);
  return out;
}

object event_match(std::string_view key, std::string_view pattern) {
  return {{"kind", "event_match"}, {"key", key}, {"pattern", pattern}};
}
object event_property_is(std::string_view key, value expected) {
  return {{"kind", "event_property_is"}, {"key", key}, {"value", std::move(expected)}};
}
object event_property_contains(std::string_view key, std::string_view element) {
  return {{"kind", "event_property_contains"}, {"key", key}, {"value", element}};
}
object two_members() {
  return {{"kind", "room_member_count"}, {"is", "2"}};
}
object may_notify_room() {
  return {{"kind", "sender_notification_permission"}, {"key", "room"}};
}

object sound(std::string_view name) {
  return {{"set_tweak", "sound"}, {"value", name}};
}
object highlight() {
  return {{"set_tweak", "highlight"}};
}
constexpr std::string_view notify = "notify";

object rule(std::string_view id, array conditions, array actions, bool enabled = true) {
  return {{"rule_id", id},
          {"default", true},
          {"enabled", enabled},
          {"conditions", std::move(conditions)},
          {"actions", std::move(actions)}};
}

// spec: client-server-api#default-override-rules
array override_rules(const std::string& user) {
  return list(
      rule(".m.rule.master", list(), list(), false),
      rule(".m.rule.suppress_notices", list(event_match("content.msgtype", "m.notice")), list()),
      rule(".m.rule.invite_for_me",
           list(event_match("type", "m.room.member"), event_match("content.membership", "invite"),
                event_match("state_key", user)),
           list(notify, sound("default"))),
      rule(".m.rule.member_event", list(event_match("type", "m.room.member")), list()),
      rule(".m.rule.is_user_mention", list(event_property_contains("content.m\\.mentions.user_ids", user)),
           list(notify, sound("default"), highlight())),
      rule(".m.rule.is_room_mention", list(event_property_is("content.m\\.mentions.room", true), may_notify_room()),
           list(notify, highlight())),
      rule(".m.rule.tombstone", list(event_match("type", "m.room.tombstone"), event_match("state_key", "")),
           list(notify, highlight())),
      rule(".m.rule.reaction", list(event_match("type", "m.reaction")), list()),
      rule(".m.rule.room.server_acl", list(event_match("type", "m.room.server_acl"), event_match("state_key", "")),
           list()),
      rule(".m.rule.suppress_edits", list(event_property_is("content.m\\.relates_to.rel_type", "m.replace")), list()));
}

// spec: client-server-api#default-underride-rules
array underride_rules() {
  return list(rule(".m.rule.call", list(event_match("type", "m.call.invite")), list(notify, sound("ring"))),
              rule(".m.rule.encrypted_room_one_to_one", list(two_members(), event_match("type", "m.room.encrypted")),
                   list(notify, sound("default"))),
              rule(".m.rule.room_one_to_one", list(two_members(), event_match("type", "m.room.message")),
                   list(notify, sound("default"))),
              rule(".m.rule.message", list(event_match("type", "m.room.message")), list(notify)),
              rule(".m.rule.encrypted", list(event_match("type", "m.room.encrypted")), list(notify)));
}

}  // namespace

boost::json::object default_push_rules(const UserId& user) {
  object global;
  global.emplace("override", override_rules(user.str()));
  global.emplace("content", array());
  global.emplace("room", array());
  global.emplace("sender", array());
  global.emplace("underride", underride_rules());
  object rules;
  rules.emplace("global", std::move(global));
  return rules;
}

const boost::json::object* find_push_rule(const boost::json::object& push_rules, std::string_view kind,
                                          std::string_view rule_id) {
  const object* global = json::find_object(push_rules, "global");
  const array* rules = global ? json::find_array(*global, kind) : nullptr;
  if (!rules) return nullptr;
  for (const value& candidate : *rules) {
    if (json::find_string(candidate.as_object(), "rule_id") == rule_id) return &candidate.as_object();
  }
  return nullptr;
}

}  // namespace causeway
