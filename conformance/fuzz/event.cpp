// A PDU from a peer, as JSON text, in every room version: what is accepted keeps its identity through storage,
// redaction and signing.
#include "schema/events/event.hpp"

#include "conformance/fuzz/fuzzer.hpp"
#include "schema/events/client_event.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::fuzz {

namespace {

json::object parsed(std::string_view text) {
  return json::parse_object(text).value();
}

EventPtr received(const RoomVersion& version, json::object pdu) {
  return Event::from_pdu(version, std::move(pdu)).value();
}

void check_same(const Event& event, const Event& other) {
  CAUSEWAY_ASSERT(event.id() == other.id());
  CAUSEWAY_ASSERT(event.json() == other.json());
  CAUSEWAY_ASSERT(event.room_id() == other.room_id());
  CAUSEWAY_ASSERT(event.sender() == other.sender());
  CAUSEWAY_ASSERT(event.type() == other.type());
  CAUSEWAY_ASSERT(event.state_key() == other.state_key());
  CAUSEWAY_ASSERT(event.origin_server_ts() == other.origin_server_ts());
  CAUSEWAY_ASSERT(event.depth() == other.depth());
  CAUSEWAY_ASSERT(event.prev_events() == other.prev_events());
  CAUSEWAY_ASSERT(event.auth_events() == other.auth_events());
  CAUSEWAY_ASSERT(event.redacts() == other.redacts());
  CAUSEWAY_ASSERT(event.content_json() == other.content_json());
  CAUSEWAY_ASSERT(event.membership() == other.membership());
}

// The members as the scanner found them, against the parsed text.
void check_members(const Event& event) {
  const json::object pdu = parsed(event.json());
  CAUSEWAY_ASSERT(json::canonical(pdu) == event.json());
  CAUSEWAY_ASSERT(event.json().size() <= max_event_bytes);
  CAUSEWAY_ASSERT(json::parse_object("{\"pdus\":[" + event.json() + "]}"));
  CAUSEWAY_ASSERT(json::find_string(pdu, "type") == event.type());
  CAUSEWAY_ASSERT(json::find_string(pdu, "sender") == event.sender().str());
  CAUSEWAY_ASSERT(json::find_string(pdu, "state_key") == event.state_key());
  CAUSEWAY_ASSERT(json::find_int(pdu, "depth") == event.depth());
  CAUSEWAY_ASSERT(json::find_int(pdu, "origin_server_ts") == event.origin_server_ts());
  CAUSEWAY_ASSERT(json::canonical(event.content()) == event.content_json());
  CAUSEWAY_ASSERT(json::find_array(pdu, "prev_events")->size() == event.prev_events().size());
  CAUSEWAY_ASSERT(json::find_array(pdu, "auth_events")->size() == event.auth_events().size());
  CAUSEWAY_ASSERT(RoomId::parse(event.room_id().str()));
  CAUSEWAY_ASSERT(!event.redacts() || EventId::parse(event.redacts()->str()));
}

void check_storage(const Event& event) {
  check_same(event, *Event::from_stored(event.version(), event.id(), event.json()));
  CAUSEWAY_ASSERT(EventId::from_db(event.id().to_db()) == event.id());
  for (const EventId& id : event.prev_events())
    CAUSEWAY_ASSERT(EventId::from_db(id.to_db()) == id);
}

// Neither `unsigned` nor signatures nor redaction make another event of it.
void check_identity(const Event& event) {
  check_same(event, *received(event.version(), parsed(event.json())));
  json::object pdu = parsed(event.json());
  const crypto::Sha256 hash = content_hash(pdu);
  pdu["unsigned"] = json::object{{"age", 1}};
  pdu["signatures"] = json::object{};
  CAUSEWAY_ASSERT(received(event.version(), pdu)->id() == event.id());
  pdu["hashes"] = json::object{{"sha256", crypto::base64(crypto::as_view(hash))}};
  CAUSEWAY_ASSERT(content_hash_matches(pdu));
}

void check_redaction(const Event& event) {
  const EventPtr redacted = redact(event);
  CAUSEWAY_ASSERT(redacted->id() == event.id());
  CAUSEWAY_ASSERT(redacted->json().size() <= event.json().size());
  CAUSEWAY_ASSERT(signed_bytes(*redacted) == signed_bytes(event));
  check_same(*redacted, *redact(*redacted));
  check_same(*redacted, *received(event.version(), parsed(redacted->json())));
}

void check_client_formats(const Event& event) {
  for (const auto format : {ClientEventFormat::sync, ClientEventFormat::full, ClientEventFormat::stripped}) {
    std::string text;
    append_client_event(text, event, format, R"({"age":1})");
    const json::object shown = parsed(text);
    CAUSEWAY_ASSERT(json::find_string(shown, "type") == event.type());
    CAUSEWAY_ASSERT(json::find_object(shown, "content"));
  }
}

void check_signing(const Event& event) {
  static const crypto::SigningKey key("ed25519:1", std::array<unsigned char, 32>{});
  const ServerName server = ServerName::trusted("domain");
  const EventPtr with_ours = add_signature(event, server, key);
  CAUSEWAY_ASSERT(with_ours->id() == event.id());
  CAUSEWAY_ASSERT(signed_bytes(*with_ours) == signed_bytes(event));
  bool verified = false;
  for (const EventSignature& signature : signatures_of(*with_ours, server))
    verified = verified || crypto::verify(key.public_key(), signed_bytes(event), signature.signature);
  CAUSEWAY_ASSERT(verified);
}

void check_event(const Event& event) {
  check_members(event);
  check_storage(event);
  check_identity(event);
  check_redaction(event);
  check_client_formats(event);
  for (const ServerName& server : required_signers(event)) {
    CAUSEWAY_ASSERT(ServerName::parse(server.str()));
    signatures_of(event, server);
  }
}

}  // namespace

void run(std::string_view input) {
  const auto pdu = json::parse_object(input);
  if (!pdu) return;
  EventPtr last;
  for (const RoomVersion& version : supported_room_versions()) {
    const auto event = Event::from_pdu(version, *pdu);
    if (!event) continue;
    check_event(**event);
    last = *event;
  }
  if (last) check_signing(*last);  // too slow to be done in every version
}

}  // namespace causeway::fuzz
