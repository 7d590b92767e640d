#include "schema/crypto/crypto.hpp"

#include <openssl/evp.h>
#include <sodium.h>

#include <array>
#include <memory>

#include "schema/matrix/assert.hpp"

namespace causeway::crypto {

namespace {

std::string encode(std::string_view data, int variant) {
  std::string out(sodium_base64_encoded_len(data.size(), variant), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(data.data()), data.size(), variant);
  out.pop_back();  // the terminating NUL
  return out;
}

// OpenSSL's decoder, because libsodium refuses text whose last character has spare bits set, which exists (the
// specification's own test key is written so).
std::optional<std::string> decode(std::string_view text, char sixty_two, char sixty_three) {
  while (text.ends_with('='))
    text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string padded;
  padded.reserve(text.size() + 3);
  for (const char c : text) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && c != sixty_two && c != sixty_three) return std::nullopt;
    padded += alphanumeric ? c : c == sixty_two ? '+' : '/';
  }
  const std::size_t padding = (4 - text.size() % 4) % 4;
  padded.append(padding, '=');
  std::string out(padded.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(padded.data()), static_cast<int>(padded.size()));
  if (size < 0) return std::nullopt;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

const unsigned char* bytes(std::string_view data) {
  return reinterpret_cast<const unsigned char*>(data.data());
}

}  // namespace

void initialise() {
  static const int result = sodium_init();
  CAUSEWAY_ASSERT(result >= 0);
}

namespace {

// OpenSSL's uses the processor's SHA instructions; libsodium's does not.
template <std::size_t Size>
std::array<unsigned char, Size> digest(const EVP_MD* algorithm, std::string_view data) {
  std::array<unsigned char, Size> out;
  unsigned size = 0;
  const int done = EVP_Digest(data.data(), data.size(), out.data(), &size, algorithm, nullptr);
  CAUSEWAY_ASSERT(done == 1 && size == out.size());
  return out;
}

}  // namespace

Sha256 sha256(std::string_view data) {
  return digest<32>(EVP_sha256(), data);
}

Sha1 sha1(std::string_view data) {
  return digest<20>(EVP_sha1(), data);
}

std::string base64(std::string_view data) {
  return encode(data, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}
std::string base64_url(std::string_view data) {
  return encode(data, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::optional<std::string> base64_decode(std::string_view text) {
  return decode(text, '+', '/');
}
std::optional<std::string> base64_url_decode(std::string_view text) {
  return decode(text, '-', '_');
}

SigningKey::SigningKey(std::string key_id, std::span<const unsigned char, 32> seed) : key_id_(std::move(key_id)) {
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> public_part;
  crypto_sign_seed_keypair(public_part.data(), secret_.data(), seed.data());
}

SigningKey::~SigningKey() {
  sodium_memzero(secret_.data(), secret_.size());
}

SigningKey SigningKey::generate(std::string key_id) {
  std::array<unsigned char, 32> seed;
  random_bytes(seed);
  SigningKey key(std::move(key_id), seed);
  sodium_memzero(seed.data(), seed.size());
  return key;
}

// libsodium's secret key is the seed followed by the public key.
std::string SigningKey::seed() const {
  return std::string(as_view(secret_).substr(0, 32));
}
std::string SigningKey::public_key() const {
  return std::string(as_view(secret_).substr(32));
}

std::string SigningKey::sign(std::string_view data) const {
  std::string out(crypto_sign_BYTES, '\0');
  crypto_sign_detached(reinterpret_cast<unsigned char*>(out.data()), nullptr, bytes(data), data.size(), secret_.data());
  return out;
}

bool verify(std::string_view public_key, std::string_view data, std::string_view signature) {
  if (public_key.size() != crypto_sign_PUBLICKEYBYTES || signature.size() != crypto_sign_BYTES) return false;
  return crypto_sign_verify_detached(bytes(signature), bytes(data), data.size(), bytes(public_key)) == 0;
}

PasswordCost PasswordCost::cheapest() {
  return {crypto_pwhash_argon2id_OPSLIMIT_MIN, crypto_pwhash_argon2id_MEMLIMIT_MIN};
}

std::string hash_password(std::string_view password, const PasswordCost& cost) {
  std::array<char, crypto_pwhash_STRBYTES> out{};
  if (crypto_pwhash_argon2id_str(out.data(), password.data(), password.size(), cost.operations, cost.memory_bytes) != 0)
    throw std::bad_alloc();
  return out.data();
}

bool verify_password(std::string_view password, const std::string& hash) {
  if (hash.size() >= crypto_pwhash_STRBYTES) return false;
  return crypto_pwhash_argon2id_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

void random_bytes(std::span<unsigned char> out) {
  randombytes_buf(out.data(), out.size());
}

std::string random_token(std::size_t length) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::size_t fair = 256 / alphabet.size() * alphabet.size();  // above, some letters would be likelier
  std::string out;
  std::array<unsigned char, 64> bytes;
  while (out.size() < length) {
    random_bytes(bytes);
    for (const unsigned char byte : bytes)
      if (byte < fair && out.size() < length) out += alphabet[byte % alphabet.size()];
  }
  return out;
}

}  // namespace causeway::crypto
