// The primitives Matrix uses, over libsodium and OpenSSL: base64, SHA-256, Ed25519, Argon2id, random bytes.
// Every function may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "schema/matrix/error.hpp"

namespace causeway::crypto {

// Call once before anything else here. Idempotent.
void initialise();

using Sha256 = std::array<unsigned char, 32>;
Sha256 sha256(std::string_view data);

// An order among events of room version 1, nothing that security rests on.
using Sha1 = std::array<unsigned char, 20>;
Sha1 sha1(std::string_view data);

// Unpadded, as Matrix writes it. Decoding accepts padding. spec: appendices#unpadded-base64
std::string base64(std::string_view data);
std::string base64_url(std::string_view data);
std::optional<std::string> base64_decode(std::string_view text);      // standard alphabet
std::optional<std::string> base64_url_decode(std::string_view text);  // URL-safe alphabet

inline std::string_view as_view(std::span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An Ed25519 key pair. `seed` is the 32-byte private part and is wiped on destruction. Copyable, never printed.
class SigningKey {
 public:
  // key_id is "ed25519:" and a version of [a-zA-Z0-9_].
  SigningKey(std::string key_id, std::span<const unsigned char, 32> seed);
  SigningKey(const SigningKey&) = default;
  SigningKey& operator=(const SigningKey&) = default;
  ~SigningKey();
  static SigningKey generate(std::string key_id);

  const std::string& key_id() const { return key_id_; }
  std::string public_key() const;                 // 32 raw bytes
  std::string seed() const;                       // 32 raw bytes; for storing only
  std::string sign(std::string_view data) const;  // 64 raw bytes

 private:
  std::string key_id_;
  std::array<unsigned char, 64> secret_;
};

// False too when the key or the signature has the wrong length.
bool verify(std::string_view public_key, std::string_view data, std::string_view signature);

// How costly a password hash is. `interactive` costs about 13 ms and 19 MiB; `cheapest` is for tests.
struct PasswordCost {
  std::uint64_t operations = 2;
  std::uint64_t memory_bytes = 19u << 20;
  static PasswordCost cheapest();
};

// Argon2id in its own printable format. Blocks: run it on the CPU pool.
std::string hash_password(std::string_view password, const PasswordCost& cost);
bool verify_password(std::string_view password, const std::string& hash);

bool equal_constant_time(std::string_view a, std::string_view b);

void random_bytes(std::span<unsigned char> out);
// `length` characters of [A-Za-z0-9].
std::string random_token(std::size_t length);

}  // namespace causeway::crypto
