#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#post_matrixclientv3roomsroomidupgrade
Task<Result<Response>> upgrade_room(ClientApi& api, Request& request) {
  RequestFields fields(request);
  UpgradeRoom upgrade;
  upgrade.sender = Sender::of(*request.requester);
  upgrade.room = fields.room_id();
  fields.read_body();
  upgrade.version = fields.required_string("new_version");
  if (const auto* creators = fields.optional_array("additional_creators")) upgrade.additional_creators = *creators;
  if (fields.error()) co_return *fields.error();
  const auto made = co_await api.rooms.upgrade_room(std::move(upgrade));
  if (!made) co_return made.error();
  co_return Response::json({{"replacement_room", made->str()}});
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/upgrade", "upgradeRoom", Auth::access_token, RateClass::write,
     64 * kib, upgrade_room, remote_work},
};

}  // namespace

EndpointTable room_upgrades_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
