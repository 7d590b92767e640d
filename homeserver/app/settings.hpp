// What each part of the server is told of the configuration: the only place that knows both the keys and the parts.
#pragma once

#include <string>

#include "client-api/client_api.hpp"
#include "federation/federation.hpp"
#include "homeserver/app/config.hpp"
#include "homeserver/app/files.hpp"
#include "schema/db/database.hpp"

namespace causeway {

// No more connections than the process may have files open; the listeners with the certificates of `files`.
http::ServerSettings http_settings(const Config& config, const PrivateFiles& files);
AccountSettings account_settings(const Config& config, const PrivateFiles& files);
federation::Settings federation_settings(const Config& config, const PrivateFiles& files);
client_api::Settings client_api_settings(const Config& config);
db::Settings database_settings(const Config& config, const std::string& url);
std::size_t max_sync_bytes(const Config& config);

}  // namespace causeway
