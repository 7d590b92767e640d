// The configuration: one TOML file, every key in one table (config_keys.cpp) with type, default, constraint and help.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "homeserver/http/server.hpp"

namespace causeway {

struct Config {
  std::string server_name;
  std::string run_as;
  std::string data_directory;
  std::string public_baseurl;
  std::string federation_address;

  std::string http_address;
  std::int64_t http_port = 0;
  std::int64_t tls_port = 0;
  std::string tls_certificate;  // path
  std::string tls_key;          // path
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> metrics_from;
  std::int64_t max_connections = 0;

  std::string database_url;
  std::int64_t database_connections = 0;
  std::int64_t database_wait_ms = 0;

  bool open_registration = false;
  bool token_registration = false;
  bool dummy_without_session = false;
  std::string shared_secret;
  std::string shared_secret_file;
  std::int64_t min_password_length = 0;
  std::string password_cost;
  std::int64_t max_account_data_mb = 0;

  std::string default_room_version;
  bool anyone_may_publish = false;
  std::int64_t purge_forgotten_after_s = 0;

  std::string federation_ca;  // path
  std::vector<std::string> federation_allowed_ranges;
  bool federation_allow_all_addresses = false;
  std::vector<std::string> trusted_key_servers;
  std::int64_t federation_first_retry_ms = 0;
  std::int64_t federation_max_retry_ms = 0;

  bool rate_limits_enabled = false;
  http::RateLimits rate_limits;

  // Requests worked on at a time; 0: http::usual_admission.
  std::int64_t read_places = 0;
  std::int64_t heavy_places = 0;
  std::int64_t write_places = 0;
  std::int64_t remote_places = 0;
  std::int64_t login_places = 0;
  std::int64_t federation_places = 0;
  std::int64_t heavy_federation_places = 0;
  std::int64_t place_wait_ms = 0;
  std::int64_t max_unsent_mb = 0;
  std::int64_t max_sync_mb = 0;

  std::string log_level;
  std::string log_format;
};

// What is wrong, for the operator: "causeway.toml:3: server.name: ...".
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads the file; an unknown key, a wrong type or a bad value is a ConfigError. An empty path gives the defaults.
Config load_config(const std::string& path);

// A commented file in which every key stands with its default.
std::string default_config_text();

}  // namespace causeway
