// The Client-Server API: JSON and paths to typed calls and back, nothing else. One .cpp per module of the spec, each
// with its table of endpoints; `endpoints.cpp` lists the tables.
#pragma once

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/http/endpoint.hpp"
#include "homeserver/rooms/reader/member_reader.hpp"
#include "homeserver/rooms/reader/timeline_reader.hpp"
#include "homeserver/rooms/room_service.hpp"
#include "homeserver/sync/event_serializer.hpp"
#include "homeserver/sync/sync_service.hpp"
#include "schema/events/room_version.hpp"

namespace causeway::client_api {

struct Settings {
  ServerName server_name;
  std::string public_baseurl;       // for /.well-known/matrix/client; empty: 404 there
  std::string federation_address;   // "host:port" for /.well-known/matrix/server; empty: 404 there
  bool anyone_may_publish = false;  // to the room directory
  std::string default_room_version{causeway::default_room_version};
};

// What handlers may use.
struct ClientApi {
  AccountService& accounts;
  RoomService& rooms;
  RoomReader& reader;
  TimelineReader& timelines;
  MemberReader& members;
  Interner& interner;
  SyncService& sync;
  EventSerializer& serializer;
  ReceiptService& receipts;
  TypingService& typing;
  RemoteServers& remote;
  const Clock& clock;
  Settings settings;
};

using Endpoint = http::Endpoint<ClientApi>;

// Adds every endpoint; those of 2018 also under /_matrix/client/r0. `api` must outlive the router.
void add_endpoints(http::Router& router, ClientApi& api);

}  // namespace causeway::client_api
