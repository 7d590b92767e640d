#include "homeserver/app/config_keys.hpp"

#include <boost/asio/ip/address.hpp>

#include "homeserver/http/address.hpp"
#include "schema/events/room_version.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

namespace {

using Check = std::function<std::string(const ConfigValue&)>;

// Rows are made from a member of Config, so that the table can't name one thing and set another.
template <class T>
ConfigKey key(std::string_view name, T Config::*member, T fallback, std::string_view constraint, Check check,
              std::string_view help) {
  return {name,
          std::move(fallback),
          constraint,
          std::move(check),
          [member](Config& config, const ConfigValue& value) { config.*member = std::get<T>(value); },
          help};
}

ConfigKey rate(std::string_view name, http::RateLimit http::RateLimits::*limit, double http::RateLimit::*part,
               std::string_view help) {
  const auto not_negative = [](const ConfigValue& value) {
    return std::get<double>(value) < 0 ? "must not be negative" : "";
  };
  return {name,
          http::RateLimits{}.*limit.*part,
          "not negative",
          not_negative,
          [limit, part](Config& config, const ConfigValue& value) {
            config.rate_limits.*limit.*part = std::get<double>(value);
          },
          help};
}

std::string anything(const ConfigValue&) {
  return "";
}

Check between(std::int64_t min, std::int64_t max) {
  return [min, max](const ConfigValue& value) -> std::string {
    const auto number = std::get<std::int64_t>(value);
    if (number >= min && number <= max) return "";
    return "must be between " + std::to_string(min) + " and " + std::to_string(max);
  };
}

Check one_of(std::vector<std::string> choices) {
  return [choices = std::move(choices)](const ConfigValue& value) -> std::string {
    if (std::ranges::find(choices, std::get<std::string>(value)) != choices.end()) return "";
    std::string list;
    for (const auto& choice : choices)
      list += (list.empty() ? "\"" : ", \"") + choice + "\"";
    return "must be one of " + list;
  };
}

std::string server_name(const ConfigValue& value) {
  return ServerName::parse(std::get<std::string>(value)) ? "" : "is not a valid Matrix server name";
}

std::string server_names(const ConfigValue& value) {
  for (const auto& name : std::get<std::vector<std::string>>(value))
    if (!ServerName::parse(name)) return "has \"" + name + "\", which is not a valid Matrix server name";
  return "";
}

std::string not_empty(const ConfigValue& value) {
  return std::get<std::string>(value).empty() ? "must not be empty" : "";
}

std::string base_url(const ConfigValue& value) {
  const auto& url = std::get<std::string>(value);
  return url.empty() || url.starts_with("https://") || url.starts_with("http://")
             ? ""
             : "must begin with https:// or http://";
}

std::string room_version(const ConfigValue& value) {
  return find_room_version(std::get<std::string>(value)) ? "" : "is not a room version this server supports";
}

std::string ranges(const ConfigValue& value) {
  try {
    const http::AddressRanges parsed(std::get<std::vector<std::string>>(value));
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

std::string address(const ConfigValue& value) {
  boost::system::error_code error;
  boost::asio::ip::make_address(std::get<std::string>(value), error);
  return error ? "must be an IP address" : "";
}

std::vector<ConfigKey> server_keys() {
  return {
      key<std::string>("server.name", &Config::server_name, "localhost", "a Matrix server name", server_name,
                       "The part after the colon of your users' IDs. It can't be changed after the first start."),
      key<std::string>("server.data_directory", &Config::data_directory, "data", "not empty", not_empty,
                       "Everything the server keeps, its embedded PostgreSQL included."),
      key<std::string>(
          "server.run_as", &Config::run_as, "", "", anything,
          "The user to become when started as root. Empty: causeway if there is such a user, else nobody."),
      key<std::string>("server.public_baseurl", &Config::public_baseurl, "", "an http or https URL", base_url,
                       "Where clients reach this server; served as /.well-known/matrix/client. Empty: not served."),
      key<std::string>(
          "server.federation_address", &Config::federation_address, "", "host:port", anything,
          "Where other servers reach this server; served as /.well-known/matrix/server. Empty: not served."),
  };
}

std::vector<ConfigKey> http_keys() {
  return {
      key<std::string>("http.address", &Config::http_address, "127.0.0.1", "an IP address", address,
                       "The address, and nothing else, that the server listens on."),
      key<std::int64_t>("http.port", &Config::http_port, 8008, "0 to 65535", between(0, 65535),
                        "Plain HTTP, for a reverse proxy or local use. 0: none."),
      key<std::int64_t>("http.tls_port", &Config::tls_port, 0, "0 to 65535", between(0, 65535),
                        "HTTPS; other servers look for port 8448 unless told otherwise. 0: none."),
      key<std::string>("http.tls_certificate", &Config::tls_certificate, "", "", anything,
                       "PEM file with the certificate and its chain. Read again on SIGHUP."),
      key<std::string>("http.tls_key", &Config::tls_key, "", "", anything, "PEM file with the private key."),
      key<std::vector<std::string>>("http.trusted_proxies", &Config::trusted_proxies, {}, "addresses or ranges", ranges,
                                    "Proxies whose X-Forwarded-For is believed."),
      key<std::vector<std::string>>("http.metrics_from", &Config::metrics_from, {"127.0.0.0/8", "::1/128"},
                                    "addresses or ranges", ranges, "Who may read /metrics."),
      key<std::int64_t>("http.max_connections", &Config::max_connections, 20'000, "10 to 1000000",
                        between(10, 1'000'000), "Connections open at a time."),
  };
}

std::vector<ConfigKey> database_keys() {
  return {
      key<std::string>("database.url", &Config::database_url, "", "", anything,
                       "A libpq connection string or URI. Empty: an embedded PostgreSQL in the data directory."),
      key<std::int64_t>("database.connections", &Config::database_connections, 4, "1 to 64", between(1, 64),
                        "Connections for reading, one thread each. The writer has one of its own besides."),
      key<std::int64_t>("database.wait_ms", &Config::database_wait_ms, 3000, "0 to 60000", between(0, 60'000),
                        "How long a request waits for a database that is away before it gets 503."),
  };
}

std::vector<ConfigKey> account_keys() {
  return {
      key<bool>("registration.open", &Config::open_registration, false, "", anything, "Anyone may register."),
      key<bool>("registration.tokens", &Config::token_registration, true, "", anything,
                "Whoever holds a registration token may register."),
      key<bool>("registration.dummy_without_session", &Config::dummy_without_session, false, "", anything,
                "Accept the dummy stage in the first request already. For test tools."),
      key<std::string>("registration.shared_secret", &Config::shared_secret, "", "", anything,
                       "For /_synapse/admin/v1/register, which scripts use to make accounts. Empty: not served."),
      key<std::string>("registration.shared_secret_file", &Config::shared_secret_file, "", "", anything,
                       "A file that holds the shared secret instead."),
      key<std::int64_t>("passwords.min_length", &Config::min_password_length, 8, "1 to 512", between(1, 512),
                        "Shorter passwords are refused."),
      key<std::string>("passwords.cost", &Config::password_cost, "normal", "normal or cheapest",
                       one_of({"normal", "cheapest"}),
                       "How costly password hashes are. \"cheapest\" is for tests only."),
      key<std::int64_t>("accounts.max_data_mb", &Config::max_account_data_mb, 8, "1 to 1024", between(1, 1024),
                        "How much account data (clients' settings, global and for rooms) each user may store."),
  };
}

std::vector<ConfigKey> room_and_federation_keys() {
  return {
      key<std::string>("rooms.default_version", &Config::default_room_version, "12", "a supported room version",
                       room_version, "The version of rooms whose creator does not name one."),
      key<bool>("rooms.anyone_may_publish", &Config::anyone_may_publish, false, "", anything,
                "Any member may put a room into the room directory, not just its moderators."),
      key<std::int64_t>("rooms.purge_forgotten_after_s", &Config::purge_forgotten_after_s, 604'800, "0 to 315360000",
                        between(0, 315'360'000),
                        "How long after its last local user has forgotten a room its data is deleted."),
      key<std::string>("federation.ca", &Config::federation_ca, "", "", anything,
                       "PEM file with certificate authorities to trust besides the system's."),
      key<std::vector<std::string>>("federation.allowed_ranges", &Config::federation_allowed_ranges, {},
                                    "addresses or ranges", ranges,
                                    "Private addresses that outbound requests may go to all the same."),
      key<bool>("federation.allow_all_addresses", &Config::federation_allow_all_addresses, false, "", anything,
                "Let outbound requests go to any address, private ones included. For test networks."),
      key<std::vector<std::string>>("federation.trusted_key_servers", &Config::trusted_key_servers, {"matrix.org"},
                                    "Matrix server names", server_names,
                                    "Whom to believe about the signing keys of servers that no longer answer."),
      key<std::int64_t>("federation.first_retry_ms", &Config::federation_first_retry_ms, 2'000, "100 to 3600000",
                        between(100, 3'600'000), "The first wait before a server is tried again; doubles from there."),
      key<std::int64_t>("federation.max_retry_ms", &Config::federation_max_retry_ms, 3'600'000, "1000 to 86400000",
                        between(1000, 86'400'000), "The longest such wait."),
  };
}

std::vector<ConfigKey> rate_limit_keys() {
  using L = http::RateLimits;
  constexpr auto per_second = &http::RateLimit::per_second;
  constexpr auto burst = &http::RateLimit::burst;
  return {
      key<bool>("rate_limits.enabled", &Config::rate_limits_enabled, true, "", anything,
                "Off: no limits at all. For test networks."),
      rate("rate_limits.address_per_second", &L::address, per_second, "Requests from one address."),
      rate("rate_limits.address_burst", &L::address, burst, "As many at once."),
      rate("rate_limits.read_per_second", &L::read, per_second, "Reads by one user."),
      rate("rate_limits.read_burst", &L::read, burst, "As many at once."),
      rate("rate_limits.write_per_second", &L::write, per_second, "Writes by one user, messages excepted."),
      rate("rate_limits.write_burst", &L::write, burst, "As many at once."),
      rate("rate_limits.message_per_second", &L::message, per_second, "Messages by one user."),
      rate("rate_limits.message_burst", &L::message, burst, "As many at once."),
      rate("rate_limits.login_per_second", &L::login, per_second, "Logins and registrations from one address."),
      rate("rate_limits.login_burst", &L::login, burst, "As many at once."),
      rate("rate_limits.join_per_second", &L::join, per_second, "Joins by one user."),
      rate("rate_limits.join_burst", &L::join, burst, "As many at once."),
      rate("rate_limits.federation_per_second", &L::federation, per_second, "Requests by one server."),
      rate("rate_limits.federation_burst", &L::federation, burst, "As many at once."),
  };
}

std::vector<ConfigKey> overload_keys() {
  const auto places = [](std::string_view name, std::int64_t Config::*member, std::string_view help) {
    return key<std::int64_t>(name, member, 0, "0 to 100000", between(0, 100'000), help);
  };
  return {
      places("overload.reads", &Config::read_places,
             "Cheap reads worked on at a time; more wait or are refused. 0: 16 for each of database.connections."),
      places("overload.heavy_reads", &Config::heavy_places,
             "Initial syncs, room states and member lists. 0: 4 for each of database.connections."),
      places("overload.writes", &Config::write_places, "Messages and other writes. 0: 512."),
      places("overload.remote", &Config::remote_places, "What may wait for another server, like joins. 0: 128."),
      places("overload.logins", &Config::login_places, "Logins and registrations. 0: 4 for each processor."),
      places("overload.federation", &Config::federation_places,
             "Requests of other servers. 0: 16 for each of database.connections."),
      places("overload.heavy_federation", &Config::heavy_federation_places,
             "Those that read the state of a whole room, like joins. 0: 4 for each of database.connections."),
      key<std::int64_t>(
          "overload.wait_ms", &Config::place_wait_ms, 500, "1 to 60000", between(1, 60'000),
          "How long a cheap read or a write waits for its turn before it is refused; others ten times as long. A tenth "
          "of that once somebody has been waiting all that time."),
      key<std::int64_t>("overload.unsent_mb", &Config::max_unsent_mb, 256, "16 to 1000000", between(16, 1'000'000),
                        "Memory for replies that clients are slow to take; beyond, the slowest are cut off."),
      key<std::int64_t>("overload.sync_mb", &Config::max_sync_mb, 256, "16 to 100000", between(16, 100'000),
                        "Memory that building one reply to /sync may take; two such may be built at a time."),
  };
}

std::vector<ConfigKey> log_keys() {
  return {
      key<std::string>("log.level", &Config::log_level, "info", "debug, info, warn or error",
                       one_of({"debug", "info", "warn", "error"}), "The least important messages to write."),
      key<std::string>("log.format", &Config::log_format, "text", "text or json", one_of({"text", "json"}),
                       "Lines for people or for machines."),
  };
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> all = [] {
    std::vector<ConfigKey> keys;
    for (auto part : {server_keys, http_keys, database_keys, account_keys, room_and_federation_keys, rate_limit_keys,
                      overload_keys, log_keys})
      std::ranges::move(part(), std::back_inserter(keys));
    return keys;
  }();
  return all;
}

}  // namespace causeway
