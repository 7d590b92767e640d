#include "homeserver/accounts/shared_secret_registration.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

#include "schema/crypto/crypto.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_nonces = 1024;
constexpr std::chrono::seconds nonce_lifetime{60};

std::string hmac_sha1_hex(const std::string& key, const std::string& data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac;
  unsigned int length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  CAUSEWAY_ASSERT(HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), bytes, data.size(), mac.data(), &length));
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex += "0123456789abcdef"[mac[i] >> 4];
    hex += "0123456789abcdef"[mac[i] & 15];
  }
  return hex;
}

}  // namespace

std::string SharedSecretRegistration::new_nonce() {
  const auto now = clock_.steady();
  while (!nonces_.empty() && (nonces_.size() >= max_nonces || nonces_.front().second <= now))
    nonces_.pop_front();
  std::string nonce = crypto::random_token(32);
  nonces_.emplace_back(nonce, now + nonce_lifetime);
  return nonce;
}

Result<> SharedSecretRegistration::verify(const Request& request) {
  if (!use_nonce(request.nonce))
    return make_error(ErrorCode::unknown, 400, "The nonce is not known or has expired. Ask for a new one.");
  // NUL separates the fields, so it can't be part of one.
  std::string signed_text;
  for (const std::string* field : {&request.nonce, &request.username, &request.password}) {
    if (field->find('\0') != std::string::npos)
      return make_error(ErrorCode::invalid_param, "Username and password must not contain NUL.");
    signed_text += *field + '\0';
  }
  signed_text += request.admin ? "admin" : "notadmin";
  if (request.user_type) signed_text += '\0' + *request.user_type;
  if (!crypto::equal_constant_time(hmac_sha1_hex(secret_, signed_text), request.mac))
    return make_error(ErrorCode::forbidden, "The MAC is wrong.");
  return {};
}

bool SharedSecretRegistration::use_nonce(const std::string& nonce) {
  const auto it = std::ranges::find(nonces_, nonce, &decltype(nonces_)::value_type::first);
  if (it == nonces_.end()) return false;
  const bool in_time = it->second > clock_.steady();
  nonces_.erase(it);
  return in_time;
}

}  // namespace causeway
