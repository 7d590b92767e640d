#include "homeserver/app/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "schema/json/json.hpp"

namespace causeway {

namespace {

std::string read_file(const std::string& key, const std::string& path) {
  if (path.empty()) return "";
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) throw ConfigError(key + ": can't read " + path + ": " + std::strerror(errno));
  return text.str();
}

std::string trimmed(std::string text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

PrivateFiles read_private_files(const Config& config) {
  PrivateFiles files;
  if (config.tls_port != 0) {
    files.tls_certificate = read_file("http.tls_certificate", config.tls_certificate);
    files.tls_key = read_file("http.tls_key", config.tls_key);
  }
  files.federation_ca = read_file("federation.ca", config.federation_ca);
  files.shared_secret = config.shared_secret.empty()
                            ? trimmed(read_file("registration.shared_secret_file", config.shared_secret_file))
                            : config.shared_secret;
  return files;
}

std::string to_message(const PrivateFiles& files) {
  return boost::json::serialize(boost::json::object{{"tls_certificate", files.tls_certificate},
                                                    {"tls_key", files.tls_key},
                                                    {"federation_ca", files.federation_ca},
                                                    {"shared_secret", files.shared_secret}});
}

PrivateFiles from_message(const std::string& message) {
  const auto object = json::parse_object(message).value();
  return {json::required_string(object, "tls_certificate").value(), json::required_string(object, "tls_key").value(),
          json::required_string(object, "federation_ca").value(),
          json::required_string(object, "shared_secret").value()};
}

}  // namespace causeway
