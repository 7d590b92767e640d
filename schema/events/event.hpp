// A persistent event (PDU): immutable, held as the canonical bytes that were hashed and signed.
//
// An Event exists only if its format is right for its room version: sizes, types of the top-level members, canonical
// JSON. It says nothing about signatures, hashes or authorisation; see signing.hpp and homeserver/rooms. spec:
// server-server-api#pdus, client-server-api#size-limits, rooms/v12#event-format
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schema/crypto/crypto.hpp"
#include "schema/events/room_version.hpp"
#include "schema/matrix/error.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

inline constexpr std::size_t max_event_bytes = 65'536;  // of the signed event in canonical JSON
inline constexpr std::size_t max_prev_events = 20;
inline constexpr std::size_t max_auth_events = 10;

class Event;
using EventPtr = std::shared_ptr<const Event>;

class Event {
 public:
  // From a peer. Removes `unsigned` and (for versions that do not sign it) `event_id`; finds the event ID there or
  // computes it as the reference hash. M_BAD_JSON, M_TOO_LARGE (413) or M_INVALID_PARAM say what is wrong.
  static Result<EventPtr> from_pdu(const RoomVersion& version, boost::json::object pdu);

  // The same for who goes on to verify it. `pdu` loses what from_pdu removes, and stays otherwise.
  struct Parsed;
  static Result<Parsed> parse_pdu(const RoomVersion& version, boost::json::object& pdu);

  // From our own database: trusted bytes and ID, no checks beyond finding the members.
  static EventPtr from_stored(const RoomVersion& version, EventId id, std::string json);

  const RoomVersion& version() const { return *version_; }
  const EventId& id() const { return id_; }
  const RoomId& room_id() const { return room_id_; }  // also of a v12 create event, which does not carry it
  const UserId& sender() const { return sender_; }
  const std::string& type() const { return type_; }
  const std::optional<std::string>& state_key() const { return state_key_; }
  bool is_state() const { return state_key_.has_value(); }
  bool is(std::string_view type) const { return type_ == type; }
  bool is_state(std::string_view type, std::string_view state_key) const {
    return type_ == type && state_key_ && *state_key_ == state_key;
  }
  Timestamp origin_server_ts() const { return origin_server_ts_; }
  std::int64_t depth() const { return depth_; }
  const std::vector<EventId>& prev_events() const { return prev_events_; }
  const std::vector<EventId>& auth_events() const { return auth_events_; }
  // Of an m.room.redaction, wherever its version puts it.
  const std::optional<EventId>& redacts() const { return redacts_; }

  // Canonical JSON of the signed event, without `unsigned`; `event_id` is not in it from room version 3 on.
  const std::string& json() const { return json_; }
  // The bytes of `content` within json().
  std::string_view content_json() const { return std::string_view(json_).substr(content_begin_, content_size_); }
  // Parsed at the first call, from any thread.
  const boost::json::object& content() const;
  // content.membership of an m.room.member, else nothing.
  std::optional<std::string_view> membership() const;

  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

 private:
  Event() = default;
  friend class EventReader;

  const RoomVersion* version_ = nullptr;
  EventId id_;
  RoomId room_id_;
  UserId sender_;
  std::string type_;
  std::optional<std::string> state_key_;
  Timestamp origin_server_ts_ = 0;
  std::int64_t depth_ = 0;
  std::vector<EventId> prev_events_;
  std::vector<EventId> auth_events_;
  std::optional<EventId> redacts_;
  std::string json_;
  std::uint32_t content_begin_ = 0;
  std::uint32_t content_size_ = 0;
  mutable std::once_flag content_once_;
  mutable boost::json::object content_;
};

struct Event::Parsed {
  EventPtr event;
  std::string signed_bytes;  // see signing.hpp
};

// How an event names another: rooms of versions 1 and 2 add the other's reference hash.
struct EventReference {
  EventReference(EventId event, const crypto::Sha256& reference_hash = {})
      : id(std::move(event)), hash(reference_hash) {}
  EventId id;
  crypto::Sha256 hash;  // of no meaning from room version 3 on
};

// Everything of a new local event that is not computed from it.
struct EventDraft {
  const RoomVersion* version = nullptr;
  std::optional<RoomId> room_id;  // absent for a v12 create event alone
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  boost::json::object content;
  std::optional<EventId> redacts;  // put where the version wants it
  Timestamp origin_server_ts = 0;
  std::int64_t depth = 1;  // clamped to what the version allows
  std::vector<EventReference> prev_events;
  std::vector<EventReference> auth_events;
};

// Adds hashes and our signature, and in rooms of versions 1 and 2 an ID of our own. M_BAD_JSON when the content is not
// canonical JSON, M_TOO_LARGE when the event or one of its identifiers is too large.
Result<EventPtr> build_event(EventDraft draft, const ServerName& server, const crypto::SigningKey& key);

// The unsigned, unhashed form that make_join and its kin send to a peer, as a JSON object.
boost::json::object to_template(const EventDraft& draft);

// The redacted form: same ID, only the keys that survive. spec: rooms/v11#redactions
EventPtr redact(const Event& event);
boost::json::object redact(const RoomVersion& version, const boost::json::object& event);

// The JSON object that goes to peers: json() as it is.
inline const std::string& to_pdu(const Event& event) {
  return event.json();
}

}  // namespace causeway
