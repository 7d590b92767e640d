// The tables of endpoints, one per module of the spec, each in the .cpp of its name.
#pragma once

#include <span>

#include "client-api/client_api.hpp"

namespace causeway::client_api {

using EndpointTable = std::span<const Endpoint>;

// --- rooms
EndpointTable create_room_endpoints();
EndpointTable directory_endpoints();
EndpointTable event_context_endpoints();
EndpointTable list_joined_rooms_endpoints();
EndpointTable membership_endpoints();
EndpointTable message_pagination_endpoints();
EndpointTable room_send_endpoints();
EndpointTable room_upgrades_endpoints();
EndpointTable rooms_endpoints();

// --- accounts
EndpointTable account_data_endpoints();
EndpointTable capabilities_endpoints();
EndpointTable filter_endpoints();
EndpointTable login_endpoints();
EndpointTable logout_endpoints();
EndpointTable profile_endpoints();
EndpointTable pushrules_endpoints();
EndpointTable registration_endpoints();
EndpointTable synapse_register_endpoints();
EndpointTable versions_endpoints();
EndpointTable wellknown_endpoints();
EndpointTable whoami_endpoints();

// --- sync
EndpointTable read_markers_endpoints();
EndpointTable receipts_endpoints();
EndpointTable sync_endpoints();
EndpointTable typing_endpoints();

}  // namespace causeway::client_api
