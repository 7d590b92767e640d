// Hashing, signing and verifying JSON and events.
//
// spec: appendices#signing-json, server-server-api#signing-events,
// server-server-api#validating-hashes-and-signatures-on-received-events
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/crypto/crypto.hpp"
#include "schema/events/event.hpp"

namespace causeway {

// Adds signatures.<server>.<key_id>, keeping others. `unsigned` and `signatures` are not signed.
void sign_json(boost::json::object& object, std::string_view server, const crypto::SigningKey& key);

// Checks signatures.<server>.<key_id> against a raw 32-byte key.
bool verify_json(const boost::json::object& object, std::string_view server, std::string_view key_id,
                 std::string_view public_key);

// The SHA-256 of the event without unsigned, signatures and hashes. spec:
// server-server-api#calculating-the-content-hash-for-an-event
crypto::Sha256 content_hash(const boost::json::object& event);
bool content_hash_matches(const boost::json::object& event);

// spec: server-server-api#calculating-the-reference-hash-for-an-event
crypto::Sha256 reference_hash(const Event& event);

// To cite it by. The hash is worked out only where the room version wants it.
EventReference reference_to(const Event& event);

// The servers whose signatures an event needs: its sender's, in versions 1 and 2 that of its ID, and that of
// join_authorised_via_users_server where the version has it; not the sender's for a third-party invite.
std::vector<ServerName> required_signers(const Event& event);

// One signature to check: `bytes` is the canonical redacted event without signatures.
struct EventSignature {
  ServerName server;
  std::string key_id;
  std::string signature;  // 64 raw bytes
};
// Every ed25519 signature on the event by `server`.
std::vector<EventSignature> signatures_of(const boost::json::object& event, const ServerName& server);
std::vector<EventSignature> signatures_of(const Event& event, const ServerName& server);
// The bytes that event signatures, and the reference hash, are over.
std::string signed_bytes(const RoomVersion& version, const boost::json::object& event);
std::string signed_bytes(const Event& event);

// What the sender of a PDU calls it, whatever is wrong with it.
std::string pdu_id(const RoomVersion& version, const boost::json::object& pdu);

// Where the room version derives it, from signed_bytes().
EventId event_id_of(const RoomVersion& version, std::string_view signed_bytes);

// A copy of `event` with our signature added to the others (invites, restricted joins). Same event ID.
EventPtr add_signature(const Event& event, const ServerName& server, const crypto::SigningKey& key);

}  // namespace causeway
