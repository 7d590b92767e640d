// Table devices. Their access tokens are in access_tokens.hpp.
#pragma once

#include <optional>
#include <string>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Makes the device, or takes over the one of this name; `display_name` counts only for a new one. Locks the row when
// inside a transaction.
DeviceNid upsert_device(Connection& connection, UserNid user, const std::string& device_id,
                        const std::optional<std::string>& display_name, Timestamp now);
void delete_device(Connection& connection, DeviceNid device);
void delete_devices_of(Connection& connection, UserNid user);

}  // namespace causeway::db
