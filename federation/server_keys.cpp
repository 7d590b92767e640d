#include "federation/server_keys.hpp"

#include "schema/crypto/crypto.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_keys = 100;
constexpr std::size_t max_key_id_bytes = 100;

MatrixError bad_document(const ServerName& server, const std::string& why) {
  return make_error(ErrorCode::unauthorized, 401, "The keys of " + server.str() + " can't be used: " + why);
}

bool is_usable_id(std::string_view id) {
  return id.starts_with("ed25519:") && id.size() <= max_key_id_bytes;
}

std::optional<std::string> read_key(const boost::json::value& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto encoded = json::find_string(entry.get_object(), "key");
  auto raw = encoded ? crypto::base64_decode(*encoded) : std::nullopt;
  return raw && raw->size() == 32 ? raw : std::nullopt;
}

}  // namespace

boost::json::object own_server_keys(const LocalServer& self, Timestamp valid_until_ts) {
  boost::json::object key;
  key["key"] = crypto::base64(self.key.public_key());
  boost::json::object verify_keys;
  verify_keys[self.key.key_id()] = std::move(key);
  boost::json::object document;
  document["server_name"] = self.name.str();
  document["verify_keys"] = std::move(verify_keys);
  document["old_verify_keys"] = boost::json::object();
  document["valid_until_ts"] = valid_until_ts;
  sign_json(document, self.name.str(), self.key);
  return document;
}

Result<VerifyKeys> read_server_keys(const boost::json::object& document, const ServerName& server, Timestamp now) {
  if (json::find_string(document, "server_name") != server.str())
    return bad_document(server, "they name another server.");
  const auto valid_until = json::find_int(document, "valid_until_ts");
  const auto* current = json::find_object(document, "verify_keys");
  if (!valid_until || !current) return bad_document(server, "verify_keys or valid_until_ts is missing.");
  const auto* old = json::find_object(document, "old_verify_keys");
  if (current->size() + (old ? old->size() : 0) > max_keys) return bad_document(server, "there are too many.");

  const Timestamp latest = now + std::chrono::milliseconds(max_key_validity).count();
  VerifyKeys keys;
  bool self_signed = false;
  for (const auto& [id, entry] : *current) {
    auto key = read_key(entry);
    if (!key || !is_usable_id(id)) continue;
    self_signed = self_signed || verify_json(document, server.str(), id, *key);
    keys.emplace(std::string(id), VerifyKey{std::move(*key), std::min(*valid_until, latest)});
  }
  if (!self_signed) return bad_document(server, "they are not signed by any of themselves.");
  if (!old) return keys;
  for (const auto& [id, entry] : *old) {
    auto key = read_key(entry);
    const auto expired = key ? json::find_int(entry.get_object(), "expired_ts") : std::nullopt;
    if (expired && is_usable_id(id)) keys.emplace(std::string(id), VerifyKey{std::move(*key), *expired, expired});
  }
  return keys;
}

}  // namespace causeway::federation
