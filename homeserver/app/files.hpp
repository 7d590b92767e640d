// The files that only a privileged user may be able to read: certificates, keys, secrets. Read at start and on SIGHUP.
#pragma once

#include <string>

#include "homeserver/app/config.hpp"

namespace causeway {

struct PrivateFiles {
  std::string tls_certificate;  // PEM text; empty where not configured
  std::string tls_key;
  std::string federation_ca;
  std::string shared_secret;  // without surrounding space
};

// ConfigError names the key and the path of a file that can't be read.
PrivateFiles read_private_files(const Config& config);

// As one message between the privileged parent and the server.
std::string to_message(const PrivateFiles& files);
PrivateFiles from_message(const std::string& message);

}  // namespace causeway
