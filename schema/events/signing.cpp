#include "schema/events/signing.hpp"

#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::string_view not_signed[] = {"signatures", "unsigned"};
constexpr std::string_view not_signed_of_event[] = {"signatures", "unsigned", "event_id"};  // from version 3 on
constexpr std::string_view not_hashed[] = {"signatures", "unsigned", "hashes"};

std::string canonical_without(const boost::json::object& object, std::span<const std::string_view> keys) {
  std::string out;
  json::append_canonical(out, object, keys);
  return out;
}

std::string signed_text(const boost::json::object& object) {
  return canonical_without(object, not_signed);
}

void put_signature(boost::json::object& object, std::string_view server, const crypto::SigningKey& key,
                   const std::string& signature) {
  auto& signatures = object["signatures"];
  if (!signatures.is_object()) signatures.emplace_object();
  auto& of_server = signatures.get_object()[server];
  if (!of_server.is_object()) of_server.emplace_object();
  of_server.get_object()[key.key_id()] = crypto::base64(signature);
}

}  // namespace

void sign_json(boost::json::object& object, std::string_view server, const crypto::SigningKey& key) {
  put_signature(object, server, key, key.sign(signed_text(object)));
}

bool verify_json(const boost::json::object& object, std::string_view server, std::string_view key_id,
                 std::string_view public_key) {
  const auto* signatures = json::find_object(object, "signatures");
  const auto* of_server = signatures ? json::find_object(*signatures, server) : nullptr;
  const auto encoded = of_server ? json::find_string(*of_server, key_id) : std::nullopt;
  const auto signature = encoded ? crypto::base64_decode(*encoded) : std::nullopt;
  return signature && crypto::verify(public_key, signed_text(object), *signature);
}

crypto::Sha256 content_hash(const boost::json::object& event) {
  return crypto::sha256(canonical_without(event, not_hashed));
}

bool content_hash_matches(const boost::json::object& event) {
  const auto* hashes = json::find_object(event, "hashes");
  const auto encoded = hashes ? json::find_string(*hashes, "sha256") : std::nullopt;
  const auto claimed = encoded ? crypto::base64_decode(*encoded) : std::nullopt;
  return claimed && *claimed == crypto::as_view(content_hash(event));
}

crypto::Sha256 reference_hash(const Event& event) {
  return crypto::sha256(signed_bytes(event));
}

EventReference reference_to(const Event& event) {
  if (event.version().event_format == EventFormat::v3) return event.id();
  return {event.id(), reference_hash(event)};
}

// spec: server-server-api#validating-hashes-and-signatures-on-received-events
std::vector<ServerName> required_signers(const Event& event) {
  std::vector<ServerName> out;
  const bool member = event.is("m.room.member");
  const bool third_party_invite =
      member && event.membership() == "invite" && event.content().contains("third_party_invite");
  const auto add = [&out](ServerName server) {
    if (std::ranges::find(out, server) == out.end()) out.push_back(std::move(server));
  };
  if (!third_party_invite) add(event.sender().server_name());
  if (event.version().event_id == EventIdForm::chosen) add(ServerName::trusted(std::string(event.id().server())));
  if (event.version().has_restricted_joins && member && event.membership() == "join")
    if (auto via = json::find_string(event.content(), "join_authorised_via_users_server"))
      if (auto user = UserId::parse(*via)) add(user->server_name());
  return out;
}

std::vector<EventSignature> signatures_of(const Event& event, const ServerName& server) {
  return signatures_of(json::parse_object(event.json()).value(), server);
}

std::vector<EventSignature> signatures_of(const boost::json::object& event, const ServerName& server) {
  std::vector<EventSignature> out;
  const auto* signatures = json::find_object(event, "signatures");
  const auto* of_server = signatures ? json::find_object(*signatures, server.str()) : nullptr;
  if (!of_server) return out;
  for (const auto& member : *of_server) {
    if (!std::string_view(member.key()).starts_with("ed25519:") || !member.value().is_string()) continue;
    if (auto raw = crypto::base64_decode(member.value().get_string()); raw && raw->size() == 64)
      out.push_back({server, std::string(member.key()), std::move(*raw)});
  }
  return out;
}

std::string signed_bytes(const RoomVersion& version, const boost::json::object& event) {
  const boost::json::object redacted = redact(version, event);
  if (version.event_format == EventFormat::v3) return canonical_without(redacted, not_signed_of_event);
  return canonical_without(redacted, not_signed);
}

std::string signed_bytes(const Event& event) {
  return signed_bytes(event.version(), json::parse_object(event.json()).value());
}

std::string pdu_id(const RoomVersion& version, const boost::json::object& pdu) {
  if (version.event_id == EventIdForm::chosen) return std::string(json::find_string(pdu, "event_id").value_or(""));
  return event_id_of(version, signed_bytes(version, pdu)).str();
}

EventId event_id_of(const RoomVersion& version, std::string_view signed_bytes) {
  const auto hash = crypto::sha256(signed_bytes);
  return version.event_id == EventIdForm::base64 ? EventId::from_hash_standard(hash) : EventId::from_hash(hash);
}

EventPtr add_signature(const Event& event, const ServerName& server, const crypto::SigningKey& key) {
  auto object = json::parse_object(event.json()).value();
  put_signature(object, server.str(), key, key.sign(signed_bytes(event)));
  std::string json;
  json::append_canonical(json, object);
  return Event::from_stored(event.version(), event.id(), std::move(json));
}

}  // namespace causeway
