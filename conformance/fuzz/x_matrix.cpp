// The Authorization header of another server.
#include "federation/x_matrix.hpp"

#include "conformance/fuzz/fuzzer.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::fuzz {

namespace {

using federation::XMatrix;

void check_same(const XMatrix& one, const XMatrix& other) {
  CAUSEWAY_ASSERT(one.origin == other.origin);
  CAUSEWAY_ASSERT(one.destination == other.destination);
  CAUSEWAY_ASSERT(one.key == other.key);
  CAUSEWAY_ASSERT(one.signature == other.signature);
}

// What we write ourselves: names, key IDs and base64, in which nothing needs escapes.
bool needs_no_escapes(const XMatrix& credentials) {
  const auto plain = [](const std::string& text) { return text.find_first_of("\"\\") == std::string::npos; };
  return plain(credentials.origin) && plain(credentials.destination.value_or("")) && plain(credentials.key) &&
         plain(credentials.signature);
}

void check_written_and_read_again(const XMatrix& credentials) {
  const auto again = federation::parse_x_matrix(format_x_matrix(credentials));
  CAUSEWAY_ASSERT(again && again->size() == 1);
  check_same(again->front(), credentials);
}

// Several headers arrive joined by commas.
void check_joined(std::string_view header, const std::vector<XMatrix>& found) {
  const XMatrix ours{"a.example", "b.example", "ed25519:1", "AAAA"};
  const auto joined = federation::parse_x_matrix(std::string(header) + "," + format_x_matrix(ours));
  CAUSEWAY_ASSERT(joined && joined->size() == found.size() + 1);
  for (std::size_t i = 0; i < found.size(); ++i)
    check_same((*joined)[i], found[i]);
  check_same(joined->back(), ours);
}

void check_signed_bytes(const XMatrix& credentials, std::string_view uri) {
  const std::string bytes = federation::signed_request_bytes("PUT", uri, credentials.origin, "b.example", R"({"a":1})");
  const auto object = json::parse_object(bytes);
  if (!object) return;  // something was not UTF-8: no key can have signed it
  CAUSEWAY_ASSERT(json::canonical(*object) == bytes);
  CAUSEWAY_ASSERT(json::find_string(*object, "origin") == credentials.origin);
  CAUSEWAY_ASSERT(json::find_string(*object, "uri") == uri);
}

}  // namespace

void run(std::string_view input) {
  const auto found = federation::parse_x_matrix(input);
  if (!found) return;
  for (const XMatrix& credentials : *found) {
    CAUSEWAY_ASSERT(!credentials.origin.empty() && !credentials.key.empty() && !credentials.signature.empty());
    if (needs_no_escapes(credentials)) check_written_and_read_again(credentials);
    check_signed_bytes(credentials, input);
  }
  check_joined(input, *found);
}

}  // namespace causeway::fuzz
