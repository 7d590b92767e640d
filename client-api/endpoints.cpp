#include "client-api/endpoint_tables.hpp"

namespace causeway::client_api {

namespace {

constexpr std::string_view v3 = "/_matrix/client/v3/";
constexpr std::string_view r0 = "/_matrix/client/r0/";

void add_table(http::Router& router, EndpointTable table, ClientApi& api) {
  router.add(table, api);
  // NOTSPEC: r0 ended with Matrix 1.1, but old clients and bots still ask for it.
  for (const Endpoint& row : table) {
    if (!row.path.starts_with(v3)) continue;
    const std::string path = std::string(r0) + std::string(row.path.substr(v3.size()));
    auto handler = [handle = row.handler, &api](http::Request& request) { return handle(api, request); };
    router.add(http::Route{row.verb, path, row.operation_id, row.auth, row.rate, row.body_limit, handler, row.work});
  }
}

}  // namespace

void add_endpoints(http::Router& router, ClientApi& api) {
  const auto add = [&](EndpointTable table) { add_table(router, table, api); };
  // rooms
  add(create_room_endpoints());
  add(directory_endpoints());
  add(event_context_endpoints());
  add(list_joined_rooms_endpoints());
  add(membership_endpoints());
  add(message_pagination_endpoints());
  add(room_send_endpoints());
  add(room_upgrades_endpoints());
  add(rooms_endpoints());
  // accounts
  add(account_data_endpoints());
  add(capabilities_endpoints());
  add(filter_endpoints());
  add(login_endpoints());
  add(logout_endpoints());
  add(profile_endpoints());
  add(pushrules_endpoints());
  add(registration_endpoints());
  add(synapse_register_endpoints());
  add(versions_endpoints());
  add(wellknown_endpoints());
  add(whoami_endpoints());
  // sync
  add(read_markers_endpoints());
  add(receipts_endpoints());
  add(sync_endpoints());
  add(typing_endpoints());
}

}  // namespace causeway::client_api
