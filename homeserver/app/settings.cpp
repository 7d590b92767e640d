#include "homeserver/app/settings.hpp"

#include <sys/resource.h>

#include <thread>

#include "homeserver/app/privileges.hpp"

namespace causeway {

namespace {

http::AdmissionSettings admission_settings(const Config& config) {
  using http::WorkClass;
  auto settings = http::usual_admission(std::max(1u, std::thread::hardware_concurrency()),
                                        static_cast<std::size_t>(config.database_connections));
  for (const auto& [work, places] :
       {std::pair{WorkClass::read, config.read_places}, std::pair{WorkClass::heavy, config.heavy_places},
        std::pair{WorkClass::write, config.write_places}, std::pair{WorkClass::remote, config.remote_places},
        std::pair{WorkClass::login, config.login_places}, std::pair{WorkClass::federation, config.federation_places},
        std::pair{WorkClass::heavy_federation, config.heavy_federation_places}})
    if (places > 0) settings[work] = static_cast<std::size_t>(places);
  settings.patience = std::chrono::milliseconds(config.place_wait_ms);
  settings.short_patience = settings.patience / 10;
  return settings;
}

// As many as are configured, if the process may have so many files open: some are for other servers and the database.
std::size_t max_connections(const Config& config) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t left = limit.rlim_cur - std::min<rlim_t>(files_besides_clients, limit.rlim_cur / 4);
  return std::min(static_cast<std::size_t>(config.max_connections), static_cast<std::size_t>(left));
}

}  // namespace

http::ServerSettings http_settings(const Config& config, const PrivateFiles& files) {
  http::ServerSettings settings;
  if (config.http_port != 0)
    settings.listeners.push_back({config.http_address, static_cast<std::uint16_t>(config.http_port), false, "", ""});
  if (config.tls_port != 0)
    settings.listeners.push_back(
        {config.http_address, static_cast<std::uint16_t>(config.tls_port), true, files.tls_certificate, files.tls_key});
  settings.max_connections = max_connections(config);
  settings.trusted_proxies = config.trusted_proxies;
  settings.rate_limits_enabled = config.rate_limits_enabled;
  settings.rate_limits = config.rate_limits;
  settings.admission = admission_settings(config);
  settings.max_unsent_bytes = static_cast<std::size_t>(config.max_unsent_mb) << 20;
  return settings;
}

AccountSettings account_settings(const Config& config, const PrivateFiles& files) {
  AccountSettings settings;
  settings.server_name = ServerName::trusted(config.server_name);
  settings.open_registration = config.open_registration;
  settings.token_registration = config.token_registration;
  settings.dummy_without_session = config.dummy_without_session;
  settings.registration_shared_secret = files.shared_secret;
  settings.min_password_length = static_cast<std::size_t>(config.min_password_length);
  settings.max_user_data_bytes = static_cast<std::size_t>(config.max_account_data_mb) << 20;
  if (config.password_cost == "cheapest") settings.password_cost = crypto::PasswordCost::cheapest();
  return settings;
}

federation::Settings federation_settings(const Config& config, const PrivateFiles& files) {
  federation::Settings settings;
  settings.extra_ca_pem = files.federation_ca;
  settings.allowed_ranges = config.federation_allowed_ranges;
  settings.allow_all_addresses = config.federation_allow_all_addresses;
  for (const auto& name : config.trusted_key_servers)
    settings.trusted_key_servers.push_back(ServerName::parse(name).value());
  settings.first_retry = std::chrono::milliseconds(config.federation_first_retry_ms);
  settings.max_retry = std::chrono::milliseconds(config.federation_max_retry_ms);
  return settings;
}

client_api::Settings client_api_settings(const Config& config) {
  client_api::Settings settings;
  settings.server_name = ServerName::trusted(config.server_name);
  settings.public_baseurl = config.public_baseurl;
  settings.federation_address = config.federation_address;
  settings.anyone_may_publish = config.anyone_may_publish;
  settings.default_room_version = config.default_room_version;
  return settings;
}

db::Settings database_settings(const Config& config, const std::string& url) {
  db::Settings settings;
  settings.url = url;
  settings.connections = static_cast<unsigned>(config.database_connections);
  settings.wait_when_down = std::chrono::milliseconds(config.database_wait_ms);
  return settings;
}

std::size_t max_sync_bytes(const Config& config) {
  return static_cast<std::size_t>(config.max_sync_mb) << 20;
}

}  // namespace causeway
