// The redaction algorithm: which keys survive.
//
// spec: rooms/v1#redactions, rooms/v6#redactions, rooms/v8#redactions, rooms/v9#redactions, rooms/v11#redactions
#include "schema/events/event.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::string_view kept_keys[] = {"event_id",  "type",        "room_id",     "sender",
                                          "state_key", "content",     "hashes",      "signatures",
                                          "depth",     "prev_events", "auth_events", "origin_server_ts"};
constexpr std::string_view kept_keys_before_v11[] = {"prev_state", "origin", "membership"};

bool is_kept(RedactionRules rules, std::string_view key) {
  return std::ranges::find(kept_keys, key) != std::end(kept_keys) ||
         (rules < RedactionRules::v11 &&
          std::ranges::find(kept_keys_before_v11, key) != std::end(kept_keys_before_v11));
}

void copy(boost::json::object& to, const boost::json::object& from, std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys)
    if (const auto* value = from.if_contains(key)) to[key] = *value;
}

boost::json::object redacted_member(RedactionRules rules, const boost::json::object& content) {
  boost::json::object kept;
  copy(kept, content, {"membership"});
  if (rules >= RedactionRules::v9) copy(kept, content, {"join_authorised_via_users_server"});
  if (rules >= RedactionRules::v11)
    if (const auto* invite = json::find_object(content, "third_party_invite"))
      if (const auto* is_signed = invite->if_contains("signed"))
        kept["third_party_invite"] = boost::json::object{{"signed", *is_signed}};
  return kept;
}

boost::json::object redacted_content(RedactionRules rules, std::string_view type, const boost::json::object& content) {
  const bool v11 = rules >= RedactionRules::v11;
  if (type == "m.room.member") return redacted_member(rules, content);
  if (type == "m.room.create" && v11) return content;
  boost::json::object kept;
  if (type == "m.room.create") copy(kept, content, {"creator"});
  if (type == "m.room.aliases" && rules < RedactionRules::v6) copy(kept, content, {"aliases"});
  if (type == "m.room.join_rules") {
    copy(kept, content, {"join_rule"});
    if (rules >= RedactionRules::v8) copy(kept, content, {"allow"});
  }
  if (type == "m.room.history_visibility") copy(kept, content, {"history_visibility"});
  if (type == "m.room.power_levels") {
    copy(kept, content,
         {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"});
    if (v11) copy(kept, content, {"invite"});
  }
  if (type == "m.room.redaction" && v11) copy(kept, content, {"redacts"});
  return kept;
}

}  // namespace

boost::json::object redact(const RoomVersion& version, const boost::json::object& event) {
  boost::json::object out;
  for (const auto& member : event)
    if (is_kept(version.redaction, member.key())) out[member.key()] = member.value();
  const auto* content = json::find_object(event, "content");
  out["content"] = redacted_content(version.redaction, json::find_string(event, "type").value_or(""),
                                    content ? *content : boost::json::object{});
  return out;
}

EventPtr redact(const Event& event) {
  std::string json;
  json::append_canonical(json, redact(event.version(), json::parse_object(event.json()).value()));
  return Event::from_stored(event.version(), event.id(), std::move(json));
}

}  // namespace causeway
