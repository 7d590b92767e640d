#include "schema/events/event.hpp"

#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"
#include "schema/json/scan.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

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

// The event ID of an entry of prev_events or auth_events. Of the pairs of the first format only the ID is looked at:
// nothing depends on the hash beside it.
const boost::json::string* cited_id(EventFormat format, const boost::json::value& entry) {
  if (format == EventFormat::v3) return entry.if_string();
  const auto* pair = entry.if_array();
  return pair && pair->size() == 2 && (*pair)[1].is_object() ? (*pair)[0].if_string() : nullptr;
}

Result<> check_event_ids(EventFormat format, const boost::json::object& pdu, std::string_view key) {
  const auto* list = json::find_array(pdu, key);
  if (!list) return malformed("'" + std::string(key) + "' must be an array");
  for (const auto& entry : *list) {
    const auto* id = cited_id(format, entry);
    if (!id || !EventId::parse(*id)) return malformed("'" + std::string(key) + "' must hold event IDs");
  }
  return {};
}

Result<> check_integer(const boost::json::object& pdu, std::string_view key, std::int64_t min, std::int64_t max) {
  const auto value = json::find_int(pdu, key);
  if (!value || *value < min || *value > max)
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

// spec: rooms/v1#event-ids. An ID without a domain could be the hash that is another event's ID.
Result<> check_own_id(const RoomVersion& version, const boost::json::object& pdu) {
  if (version.event_format == EventFormat::v3) return {};
  const auto text = json::find_string(pdu, "event_id");
  const auto id = text ? EventId::parse(*text) : Result<EventId>(malformed("it has no 'event_id'"));
  if (!id || !ServerName::parse(id->server())) return malformed("'event_id' must be an event ID with a server name");
  return {};
}

// The greatest integers at the top of an event. spec: rooms/v6#event-format
std::int64_t max_integer(const RoomVersion& version) {
  return version.strict_canonical_json ? json::max_canonical_int : std::numeric_limits<std::int64_t>::max();
}

Result<> check_format(const RoomVersion& version, const boost::json::object& pdu) {
  if (!is_nested_within(max_nesting, pdu)) return malformed("it is nested too deeply");
  auto numbers = version.strict_canonical_json ? json::check_canonical(pdu) : json::check_finite(pdu);
  if (!numbers) return numbers.error();
  if (auto checked = check_own_id(version, pdu); !checked) return checked.error();
  for (auto [key, required] : {std::pair{"type", true}, {"sender", true}, {"state_key", false}, {"redacts", false}})
    if (auto checked = check_string(pdu, key, required); !checked) return checked.error();
  if (!UserId::parse(*json::find_string(pdu, "sender"))) return malformed("'sender' must be a user ID");
  if (auto checked = check_room_id(version, pdu); !checked) return checked.error();
  for (auto key : {"content", "hashes", "signatures"})
    if (!json::find_object(pdu, key)) return malformed("'" + std::string(key) + "' must be an object");
  const std::int64_t max = max_integer(version);
  if (auto checked = check_integer(pdu, "depth", 0, max); !checked) return checked.error();
  if (auto checked = check_integer(pdu, "origin_server_ts", -max, max); !checked) return checked.error();
  const EventFormat format = version.event_format;
  if (auto checked = check_event_ids(format, pdu, "prev_events"); !checked) return checked.error();
  return check_event_ids(format, pdu, "auth_events");
}

std::vector<EventId> event_ids(EventFormat format, std::string_view array_text) {
  std::vector<EventId> out;
  if (format == EventFormat::v1) {
    const auto pairs = json::parse(array_text).value();
    for (const auto& entry : pairs.get_array())
      out.push_back(EventId::trusted(std::string(*cited_id(format, entry))));
    return out;
  }
  for (std::string& id : json::decode_string_array(array_text))
    out.push_back(EventId::trusted(std::move(id)));
  return out;
}

boost::json::array to_array(EventFormat format, const std::vector<EventReference>& references) {
  boost::json::array out;
  for (const auto& [id, hash] : references) {
    if (format == EventFormat::v3)
      out.emplace_back(id.str());
    else
      out.push_back({id.str(), {{"sha256", crypto::base64(crypto::as_view(hash))}}});
  }
  return out;
}

EventId choose_id(const ServerName& server) {
  return EventId::trusted("$" + crypto::random_token(18) + ":" + server.str());
}

}  // namespace

// Fills an Event from its canonical bytes; `id` is needed where it is not among them. The one place that knows where
// the members of an event are.
class EventReader {
 public:
  static EventPtr read(const RoomVersion& version, std::optional<EventId> id, std::string json) {
    std::shared_ptr<Event> event(new Event);
    event->version_ = &version;
    event->json_ = std::move(json);
    for (json::MemberScanner member(event->json_); member.next();)
      take(*event, member.key(), member.value());
    if (id) event->id_ = std::move(*id);
    if (version.room_id_is_create_hash && event->is("m.room.create"))
      event->room_id_ = RoomId::trusted("!" + event->id_.str().substr(1));
    if (event->is("m.room.redaction") && version.redacts_in_content)
      if (auto redacts = json::find_string(event->content(), "redacts")) take_redacts(*event, *redacts);
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
      event.prev_events_ = event_ids(event.version_->event_format, value);
    else if (key == "auth_events")
      event.auth_events_ = event_ids(event.version_->event_format, value);
    else if (key == "event_id" && event.version_->event_id == EventIdForm::chosen)
      event.id_ = EventId::trusted(json::decode_string(value));
    else if (key == "content")
      take_content(event, value);
    else if (key == "redacts" && !event.version_->redacts_in_content && value.starts_with('"'))
      take_redacts(event, json::decode_string(value));
  }

  static void take_redacts(Event& event, std::string_view text) {
    if (auto target = EventId::parse(text)) event.redacts_ = std::move(*target);
  }

  static void take_content(Event& event, std::string_view value) {
    event.content_begin_ = static_cast<std::uint32_t>(value.data() - event.json_.data());
    event.content_size_ = static_cast<std::uint32_t>(value.size());
  }
};

Result<EventPtr> Event::from_pdu(const RoomVersion& version, boost::json::object pdu) {
  auto parsed = parse_pdu(version, pdu);
  if (!parsed) return parsed.error();
  return std::move(parsed->event);
}

Result<Event::Parsed> Event::parse_pdu(const RoomVersion& version, boost::json::object& pdu) {
  pdu.erase("unsigned");
  if (version.event_format == EventFormat::v3) pdu.erase("event_id");
  if (auto checked = check_format(version, pdu); !checked) return checked.error();
  std::string json;
  json::append_canonical(json, pdu);
  if (json.size() > max_event_bytes) return too_large("it has more than 65536 bytes");
  Parsed parsed;
  parsed.signed_bytes = causeway::signed_bytes(version, pdu);
  std::optional<EventId> id;
  if (version.event_id != EventIdForm::chosen) id = event_id_of(version, parsed.signed_bytes);
  parsed.event = EventReader::read(version, std::move(id), std::move(json));
  return parsed;
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
  out["depth"] = std::clamp<std::int64_t>(draft.depth, 0, max_integer(*draft.version));
  out["prev_events"] = to_array(draft.version->event_format, draft.prev_events);
  out["auth_events"] = to_array(draft.version->event_format, draft.auth_events);
  if (draft.redacts) {
    if (draft.version->redacts_in_content)
      out["content"].as_object()["redacts"] = draft.redacts->str();
    else
      out["redacts"] = draft.redacts->str();
  }
  return out;
}

Result<EventPtr> build_event(EventDraft draft, const ServerName& server, const crypto::SigningKey& key) {
  if (draft.prev_events.size() > max_prev_events || draft.auth_events.size() > max_auth_events)
    return malformed("it cites more events than it may");
  boost::json::object pdu = to_template(draft);
  if (draft.version->event_id == EventIdForm::chosen) pdu["event_id"] = choose_id(server).str();
  pdu["hashes"] = boost::json::object{};
  pdu["signatures"] = boost::json::object{};
  if (auto checked = check_format(*draft.version, pdu); !checked) return checked.error();
  pdu["hashes"].as_object()["sha256"] = crypto::base64(crypto::as_view(content_hash(pdu)));
  const std::string bytes = signed_bytes(*draft.version, pdu);
  pdu["signatures"].as_object()[server.str()] = boost::json::object{{key.key_id(), crypto::base64(key.sign(bytes))}};
  std::string json;
  json::append_canonical(json, pdu);
  if (json.size() > max_event_bytes) return too_large("it has more than 65536 bytes");
  std::optional<EventId> id;
  if (draft.version->event_id != EventIdForm::chosen) id = event_id_of(*draft.version, bytes);
  return EventReader::read(*draft.version, std::move(id), std::move(json));
}

}  // namespace causeway
