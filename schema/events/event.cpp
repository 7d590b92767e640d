#include "schema/events/event.hpp"

#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"
#include "schema/json/scan.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr std::int64_t max_depth_value = json::max_canonical_int;
constexpr std::size_t max_nesting = json::max_depth - 2;  // a transaction's own levels come on top

MatrixError malformed(std::string what) {
  return make_error(ErrorCode::bad_json, "The event is malformed: " + what + ".");
}

MatrixError too_large(std::string what) {
  return make_error(ErrorCode::too_large, "The event is too large: " + what + ".");
}

bool is_nested_within(std::size_t levels, const boost::json::value& value);

bool is_nested_within(std::size_t levels, const boost::json::object& object) {
  return levels > 0 && std::ranges::all_of(object, [levels](const auto& member) {
           return is_nested_within(levels - 1, member.value());
         });
}

bool is_nested_within(std::size_t levels, const boost::json::value& value) {
  if (const auto* object = value.if_object()) return is_nested_within(levels, *object);
  if (const auto* array = value.if_array())
    return levels > 0 &&
           std::ranges::all_of(*array, [levels](const auto& element) { return is_nested_within(levels - 1, element); });
  return true;
}

// spec: client-server-api#size-limits
Result<> check_string(const boost::json::object& pdu, std::string_view key, bool required) {
  const auto* value = pdu.if_contains(key);
  if (!value && !required) return {};
  if (!value || !value->is_string()) return malformed("'" + std::string(key) + "' must be a string");
  if (value->get_string().size() > max_identifier_bytes)
    return too_large("'" + std::string(key) + "' is longer than 255 bytes");
  return {};
}

Result<> check_event_ids(const boost::json::object& pdu, std::string_view key, std::size_t max) {
  const auto* list = json::find_array(pdu, key);
  if (!list) return malformed("'" + std::string(key) + "' must be an array");
  if (list->size() > max)
    return malformed("'" + std::string(key) + "' has more than " + std::to_string(max) + " entries");
  for (const auto& entry : *list)
    if (!entry.is_string() || !EventId::parse(entry.get_string()))
      return malformed("'" + std::string(key) + "' must hold event IDs");
  return {};
}

Result<> check_integer(const boost::json::object& pdu, std::string_view key, std::int64_t min) {
  const auto value = json::find_int(pdu, key);
  if (!value || *value < min || *value > json::max_canonical_int)
    return malformed("'" + std::string(key) + "' must be an integer in range");
  return {};
}

// spec: rooms/v12#event-format: the create event's hash is the room ID, so the event can't hold it.
Result<> check_room_id(const RoomVersion& version, const boost::json::object& pdu) {
  if (version.room_id_is_create_hash && json::find_string(pdu, "type") == "m.room.create") {
    if (pdu.contains("room_id")) return malformed("m.room.create of this room version has no 'room_id'");
    return {};
  }
  const auto room_id = json::find_string(pdu, "room_id");
  if (!room_id || !RoomId::parse(*room_id)) return malformed("'room_id' must be a room ID");
  return {};
}

Result<> check_format(const RoomVersion& version, const boost::json::object& pdu) {
  if (!is_nested_within(max_nesting, pdu)) return malformed("it is nested too deeply");
  if (version.strict_canonical_json)
    if (auto checked = json::check_canonical(pdu); !checked) return checked.error();
  for (auto [key, required] : {std::pair{"type", true}, {"sender", true}, {"state_key", false}, {"redacts", false}})
    if (auto checked = check_string(pdu, key, required); !checked) return checked.error();
  if (!UserId::parse(*json::find_string(pdu, "sender"))) return malformed("'sender' must be a user ID");
  if (auto checked = check_room_id(version, pdu); !checked) return checked.error();
  for (auto key : {"content", "hashes", "signatures"})
    if (!json::find_object(pdu, key)) return malformed("'" + std::string(key) + "' must be an object");
  if (auto checked = check_integer(pdu, "depth", 0); !checked) return checked.error();
  if (auto checked = check_integer(pdu, "origin_server_ts", -json::max_canonical_int); !checked) return checked.error();
  if (auto checked = check_event_ids(pdu, "prev_events", max_prev_events); !checked) return checked.error();
  return check_event_ids(pdu, "auth_events", max_auth_events);
}

std::vector<EventId> event_ids(std::string_view array_text) {
  std::vector<EventId> out;
  for (std::string& id : json::decode_string_array(array_text))
    out.push_back(EventId::trusted(std::move(id)));
  return out;
}

boost::json::array to_array(const std::vector<EventId>& ids) {
  boost::json::array out;
  for (const EventId& id : ids)
    out.emplace_back(id.str());
  return out;
}

}  // namespace

// Fills an Event from its canonical bytes. The one place that knows where the members of an event are.
class EventReader {
 public:
  static EventPtr read(const RoomVersion& version, std::optional<EventId> id, std::string json) {
    std::shared_ptr<Event> event(new Event);
    event->version_ = &version;
    event->json_ = std::move(json);
    for (json::MemberScanner member(event->json_); member.next();)
      take(*event, member.key(), member.value());
    event->id_ = id ? std::move(*id) : EventId::from_hash(crypto::sha256(signed_bytes(*event)));
    if (version.room_id_is_create_hash && event->is("m.room.create"))
      event->room_id_ = RoomId::trusted("!" + event->id_.str().substr(1));
    if (event->is("m.room.redaction") && version.redacts_in_content)
      if (auto redacts = json::find_string(event->content(), "redacts"))
        if (auto target = EventId::parse(*redacts)) event->redacts_ = *target;
    return event;
  }

 private:
  static void take(Event& event, std::string_view key, std::string_view value) {
    if (key == "type")
      event.type_ = json::decode_string(value);
    else if (key == "sender")
      event.sender_ = UserId::trusted(json::decode_string(value));
    else if (key == "room_id")
      event.room_id_ = RoomId::trusted(json::decode_string(value));
    else if (key == "state_key")
      event.state_key_ = json::decode_string(value);
    else if (key == "origin_server_ts")
      event.origin_server_ts_ = json::decode_int(value);
    else if (key == "depth")
      event.depth_ = json::decode_int(value);
    else if (key == "prev_events")
      event.prev_events_ = event_ids(value);
    else if (key == "auth_events")
      event.auth_events_ = event_ids(value);
    else if (key == "content")
      take_content(event, value);
    else if (key == "redacts" && !event.version_->redacts_in_content && value.starts_with('"'))
      event.redacts_ = EventId::trusted(json::decode_string(value));
  }

  static void take_content(Event& event, std::string_view value) {
    event.content_begin_ = static_cast<std::uint32_t>(value.data() - event.json_.data());
    event.content_size_ = static_cast<std::uint32_t>(value.size());
  }
};

Result<EventPtr> Event::from_pdu(const RoomVersion& version, boost::json::object pdu) {
  pdu.erase("unsigned");
  if (auto checked = check_format(version, pdu); !checked) return checked.error();
  std::string json;
  json::append_canonical(json, pdu);
  if (json.size() > max_event_bytes) return too_large("it has more than 65536 bytes");
  return EventReader::read(version, std::nullopt, std::move(json));
}

EventPtr Event::from_stored(const RoomVersion& version, EventId id, std::string json) {
  return EventReader::read(version, std::move(id), std::move(json));
}

const boost::json::object& Event::content() const {
  std::call_once(content_once_, [this] { content_ = json::parse_object(content_json()).value(); });
  return content_;
}

std::optional<std::string_view> Event::membership() const {
  if (type_ != "m.room.member") return std::nullopt;
  return json::find_string(content(), "membership");
}

boost::json::object to_template(const EventDraft& draft) {
  boost::json::object out;
  out["type"] = draft.type;
  out["sender"] = draft.sender.str();
  if (draft.room_id) out["room_id"] = draft.room_id->str();
  if (draft.state_key) out["state_key"] = *draft.state_key;
  out["content"] = draft.content;
  out["origin_server_ts"] = draft.origin_server_ts;
  out["depth"] = std::clamp<std::int64_t>(draft.depth, 0, max_depth_value);
  out["prev_events"] = to_array(draft.prev_events);
  out["auth_events"] = to_array(draft.auth_events);
  if (draft.redacts) {
    if (draft.version->redacts_in_content)
      out["content"].as_object()["redacts"] = draft.redacts->str();
    else
      out["redacts"] = draft.redacts->str();
  }
  return out;
}

Result<EventPtr> build_event(EventDraft draft, const ServerName& server, const crypto::SigningKey& key) {
  boost::json::object pdu = to_template(draft);
  pdu["hashes"] = boost::json::object{};
  pdu["signatures"] = boost::json::object{};
  if (auto checked = check_format(*draft.version, pdu); !checked) return checked.error();
  pdu["hashes"].as_object()["sha256"] = crypto::base64(crypto::as_view(content_hash(pdu)));
  // What is signed is what the reference hash is over: the redacted event without signatures.
  boost::json::object redacted = redact(*draft.version, pdu);
  redacted.erase("signatures");
  std::string bytes;
  json::append_canonical(bytes, redacted);
  pdu["signatures"].as_object()[server.str()] = boost::json::object{{key.key_id(), crypto::base64(key.sign(bytes))}};
  std::string json;
  json::append_canonical(json, pdu);
  if (json.size() > max_event_bytes) return too_large("it has more than 65536 bytes");
  return EventReader::read(*draft.version, EventId::from_hash(crypto::sha256(bytes)), std::move(json));
}

}  // namespace causeway
