// What the handlers of server-server endpoints work with, and the checks they share.
#pragma once

#include <span>

#include "federation/pdu_checker.hpp"
#include "homeserver/accounts/account_service.hpp"
#include "homeserver/http/endpoint.hpp"
#include "homeserver/rooms/room_service.hpp"

namespace causeway::federation {

class Intake;

struct FederationApi {
  EventStore& events;
  RoomReader& reader;
  RoomService& rooms;
  AccountService& accounts;
  KeyRing& keys;
  PduChecker& checker;
  Intake& intake;
  CpuPool& cpu;
  const Clock& clock;
  const LocalServer& self;
};

using Endpoint = http::Endpoint<FederationApi>;
using EndpointTable = std::span<const Endpoint>;
using Reply = Task<Result<http::Response>>;

EndpointTable key_endpoints();
EndpointTable query_endpoints();
EndpointTable membership_endpoints();
EndpointTable history_endpoints();
EndpointTable transaction_endpoints();

// The room a path names: M_NOT_FOUND when this server is not in it, M_FORBIDDEN when its ACL denies the origin.
// spec: server-server-api#server-access-control-lists-acls
Task<Result<RoomInfoPtr>> room_open_to_origin(FederationApi& api, const http::Request& request, std::size_t parameter);
// The same, M_FORBIDDEN too when the origin has nobody in it.
Task<Result<RoomInfoPtr>> room_of_origin(FederationApi& api, const http::Request& request, std::size_t parameter);

}  // namespace causeway::federation
