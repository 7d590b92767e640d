// The tables of endpoints, one per module of the spec, each in the .cpp of its name.
#pragma once

#include <span>

#include "client-api/client_api.hpp"

namespace causeway::client_api {

using EndpointTable = std::span<const Endpoint>;

// --- rooms
EndpointTable list_joined_rooms_endpoints();

// --- accounts

// --- sync

}  // namespace causeway::client_api
