// A small room, written by the input: events of few users, judged one after the other; what is allowed becomes state.
#include "homeserver/rooms/auth/auth_rules.hpp"

#include <fuzzer/FuzzedDataProvider.h>

#include "conformance/fuzz/fuzzer.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::fuzz {

namespace {

using Input = FuzzedDataProvider;

constexpr std::size_t max_events = 24;
constexpr std::array users = {"@alice:a", "@bob:a", "@carol:b", "@dave:c:8448", "@:a", "@erin:d"};
constexpr std::array odd_state_keys = {"", "a", "b", "alice", "token", "@alice", "@alice:"};
constexpr std::array memberships = {"join", "invite", "leave", "ban", "knock", "odd"};
constexpr std::array join_rules = {"public", "invite", "knock", "restricted", "knock_restricted", "private", "odd"};
constexpr std::array single_levels = {"users_default", "events_default", "state_default", "ban",
                                      "redact",        "kick",           "invite"};
constexpr std::array other_types = {"m.room.message", "m.room.redaction",          "m.room.aliases",      "m.room.name",
                                    "m.room.create",  "m.room.history_visibility", "org.example.anything"};

const crypto::SigningKey& third_party_key() {
  static const crypto::SigningKey key("ed25519:0", std::array<unsigned char, 32>{});
  return key;
}

template <std::size_t N>
std::string pick(Input& input, const std::array<const char*, N>& choices) {
  return choices[input.ConsumeIntegralInRange<std::size_t>(0, N - 1)];
}

bool rarely(Input& input) {
  return input.ConsumeIntegralInRange(0, 15) == 0;
}

// Of any type, mostly of the wrong one.
json::value any_value(Input& input) {
  switch (input.ConsumeIntegralInRange(0, 8)) {
    case 0:
      return nullptr;
    case 1:
      return true;
    case 2:
      return false;
    case 3:
      return json::array{pick(input, users), 1};
    case 4:
      return json::object{{pick(input, users), pick(input, users)}};
    case 5:
      return boost::json::string(pick(input, users));
    case 6:
      return " 50 ";
    case 7:
      return 1.5;
    default:
      return input.ConsumeIntegral<std::int64_t>();
  }
}

json::value level(Input& input) {
  if (rarely(input)) return any_value(input);
  static constexpr std::int64_t levels[] = {0, 1, 25, 50, 51, 75, 100, -1, 9007199254740991, -9007199254740991};
  const auto number = input.PickValueInArray(levels);
  if (rarely(input)) return json::value(std::to_string(number));
  return number;
}

template <std::size_t N>
json::object levels_of(Input& input, const std::array<const char*, N>& keys) {
  json::object out;
  for (const char* key : keys)
    if (input.ConsumeBool()) out[key] = level(input);
  return out;
}

json::object power_levels_content(Input& input) {
  json::object out = levels_of(input, single_levels);
  if (input.ConsumeBool()) out["users"] = levels_of(input, users);
  if (input.ConsumeBool()) out["events"] = levels_of(input, other_types);
  if (input.ConsumeBool()) out["notifications"] = levels_of(input, std::array{"room", "odd"});
  if (rarely(input)) out[pick(input, std::array{"users", "events", "notifications"})] = any_value(input);
  return out;
}

json::value third_party_invite(Input& input, const std::string& invited) {
  if (rarely(input)) return any_value(input);
  json::object signed_object{{"mxid", invited}, {"token", "token"}};
  if (rarely(input)) signed_object["mxid"] = any_value(input);
  if (rarely(input)) signed_object["token"] = any_value(input);
  if (input.ConsumeBool()) sign_json(signed_object, "a", third_party_key());
  if (rarely(input)) signed_object["signatures"] = any_value(input);
  return json::object{{"signed", signed_object}};
}

json::object member_content(Input& input, const std::string& target) {
  json::object out{{"membership", pick(input, memberships)}};
  if (rarely(input)) out["membership"] = any_value(input);
  if (rarely(input)) out["third_party_invite"] = third_party_invite(input, target);
  if (rarely(input)) out["join_authorised_via_users_server"] = pick(input, users);
  if (rarely(input)) out["join_authorised_via_users_server"] = any_value(input);
  return out;
}

json::object third_party_content(Input& input) {
  const std::string key = crypto::base64(third_party_key().public_key());
  json::object out{{"public_key", key}};
  if (input.ConsumeBool()) out = {{"public_keys", json::array{json::object{{"public_key", key}}, any_value(input)}}};
  if (rarely(input)) out["public_key"] = any_value(input);
  return out;
}

json::object create_content(Input& input, const RoomVersion& version, const std::string& creator) {
  json::object out{{"room_version", version.id}};
  if (version.creator_in_content) out["creator"] = creator;
  if (version.creators_are_privileged && input.ConsumeBool())
    out["additional_creators"] = json::array{pick(input, users)};
  if (rarely(input)) out["m.federate"] = any_value(input);
  if (rarely(input)) out[pick(input, std::array{"creator", "room_version", "additional_creators"})] = any_value(input);
  return out;
}

// Rooms of versions 1 and 2 cite an event with its hash.
json::array cited(const RoomVersion& version, const EventId& id) {
  if (version.event_format == EventFormat::v1) return {json::array{id.str(), json::object{}}};
  return {id.str()};
}

class State final : public AuthState {
 public:
  const Event* find(std::string_view type, std::string_view state_key) const override {
    const auto found = events_.find(StateKey{std::string(type), std::string(state_key)});
    return found == events_.end() ? nullptr : found->second.get();
  }
  EventPtr get(const StateKey& key) const {
    const auto found = events_.find(key);
    return found == events_.end() ? nullptr : found->second;
  }
  void set(const EventPtr& event) { events_[StateKey{event->type(), *event->state_key()}] = event; }

 private:
  std::map<StateKey, EventPtr> events_;
};

bool is_same(const AuthVerdict& one, const AuthVerdict& other) {
  if (!one || !other) return !one && !other;
  return one->rule == other->rule && one->reason == other->reason;
}

class Room {
 public:
  Room(Input& input, const RoomVersion& version) : input_(input), version_(version) {}

  void run() {
    judge(draft_create());
    for (std::size_t i = 0; i < max_events && input_.remaining_bytes() > 0; ++i)
      judge(draft());
  }

 private:
  json::object draft_create() {
    const std::string creator = pick(input_, users);
    json::object out = draft_of("m.room.create", creator, "", create_content(input_, version_, creator));
    if (version_.room_id_is_create_hash) out.erase("room_id");
    out["prev_events"] = json::array();
    return out;
  }

  json::object draft() {
    const std::string sender = pick(input_, users);
    const std::string user = pick(input_, users);
    switch (input_.ConsumeIntegralInRange(0, 7)) {
      case 0:
      case 1:
        return draft_of("m.room.member", sender, sender, member_content(input_, sender));
      case 2:
      case 3:
        return draft_of("m.room.member", sender, user, member_content(input_, user));
      case 4:
        return draft_of("m.room.power_levels", sender, "", power_levels_content(input_));
      case 5:
        return draft_of("m.room.join_rules", sender, "", json::object{{"join_rule", pick(input_, join_rules)}});
      case 6:
        return draft_of("m.room.third_party_invite", sender, "token", third_party_content(input_));
      default:
        return draft_of(pick(input_, other_types), sender, pick(input_, odd_state_keys),
                        json::object{{"redacts", "$1:a"}, {"anything", any_value(input_)}});
    }
  }

  json::object draft_of(const std::string& type, const std::string& sender, const std::string& state_key,
                        json::object content) {
    json::object out{{"type", type},
                     {"sender", sender},
                     {"content", content},
                     {"depth", 1},
                     {"prev_events", cited(version_, last_)},
                     {"auth_events", json::array()},
                     {"hashes", json::object()},
                     {"signatures", json::object()},
                     {"origin_server_ts", ++count_}};
    out["event_id"] = "$" + std::to_string(count_) + sender.substr(sender.find(':'));
    out["room_id"] = room_id_;
    if (!rarely(input_)) out["state_key"] = rarely(input_) ? pick(input_, odd_state_keys) : state_key;
    return out;
  }

  void judge(const json::object& pdu) {
    const auto event = Event::from_pdu(version_, pdu);
    if (!event) return;
    const AuthVerdict verdict = check_auth(**event, state_);
    CAUSEWAY_ASSERT(!verdict || !verdict->reason.empty());
    check_repeatable(**event, verdict);
    check_auth_events_suffice(*event, verdict);
    if (verdict) return;
    check_allowed(**event);
    accept(*event);
  }

  void check_repeatable(const Event& event, const AuthVerdict& verdict) {
    CAUSEWAY_ASSERT(is_same(check_auth(event, state_), verdict));
    const EventPtr stored = Event::from_stored(version_, event.id(), event.json());
    CAUSEWAY_ASSERT(is_same(check_auth(*stored, state_), verdict));
  }

  // Judged by nothing but what its auth_events should be, the verdict is the same.
  void check_auth_events_suffice(const EventPtr& event, const AuthVerdict& verdict) {
    State selected;
    std::vector<AuthEventEntry> entries;
    if (auto create = state_.get({"m.room.create", ""})) selected.set(create);
    const auto keys = auth_event_keys(version_, event->type(), event->state_key(), event->sender(), event->content());
    for (const StateKey& key : keys)
      if (auto found = state_.get(key)) {
        selected.set(found);
        entries.push_back({found});
      }
    CAUSEWAY_ASSERT(is_same(check_auth(*event, selected), verdict));
    if (event->is("m.room.create") || !state_.get({"m.room.create", ""})) return;
    CAUSEWAY_ASSERT(!check_auth_events(*event, entries));
    if (entries.empty()) return;
    const auto chosen = input_.ConsumeIntegralInRange<std::size_t>(0, entries.size() - 1);
    entries[chosen].rejected = true;
    CAUSEWAY_ASSERT(check_auth_events(*event, entries));
    entries[chosen].rejected = false;
    entries.push_back(entries[chosen]);
    CAUSEWAY_ASSERT(check_auth_events(*event, entries));
  }

  std::string_view membership_of(std::string_view user) const {
    const Event* member = state_.find("m.room.member", user);
    return member ? member->membership().value_or("") : "";
  }

  // What no order of rules may let through.
  void check_allowed(const Event& event) {
    if (event.is("m.room.create") || event.is("m.room.aliases")) return;
    const std::string& sender = event.sender().str();
    if (!event.is("m.room.member")) {
      CAUSEWAY_ASSERT(membership_of(sender) == "join");
      return;
    }
    const std::string& target = *event.state_key();
    const auto membership = event.membership();
    if (target == sender || (membership != "leave" && membership != "ban")) return;
    const PowerLevels levels(state_.find("m.room.power_levels", ""), state_.find("m.room.create", ""));
    CAUSEWAY_ASSERT(membership_of(sender) == "join");
    CAUSEWAY_ASSERT(levels.user(target) < levels.user(sender));
  }

  void accept(const EventPtr& event) {
    last_ = event->id();
    if (event->is("m.room.create")) room_id_ = event->room_id().str();
    if (event->is_state()) state_.set(event);
  }

  Input& input_;
  const RoomVersion& version_;
  State state_;
  std::string room_id_ = "!room:a";
  EventId last_ = EventId::trusted("$none:a");
  std::int64_t count_ = 0;
};

}  // namespace

void run(std::string_view bytes) {
  Input input(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  const auto versions = supported_room_versions();
  Room(input, versions[input.ConsumeIntegralInRange<std::size_t>(0, versions.size() - 1)]).run();
}

}  // namespace causeway::fuzz
