// Servers that exist only as a name and a key, and what they publish and sign.
#pragma once

#include <map>

#include "federation/key_ring.hpp"
#include "federation/server_keys.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation::test {

inline LocalServer make_server(const std::string& name, const std::string& key_id = "ed25519:1") {
  return LocalServer{ServerName::parse(name).value(), crypto::SigningKey::generate(key_id)};
}

// Answers for servers that were published; counts how often it is asked.
class FakeKeySource final : public KeySource {
 public:
  void publish(const LocalServer& server, Timestamp valid_until_ts) {
    documents[server.name] = own_server_keys(server, valid_until_ts);
  }
  Task<Result<boost::json::object>> server_keys(ServerName server) override {
    ++asked;
    if (held) co_await held->wait();
    const auto found = documents.find(server);
    if (found == documents.end()) co_return make_error(ErrorCode::unknown, 502, "unreachable");
    co_return found->second;
  }
  Task<Result<std::vector<boost::json::object>>> query_keys(ServerName notary, ServerName server) override {
    ++notaries_asked;
    const auto found = told.find({notary, server});
    if (found == told.end()) co_return make_error(ErrorCode::unknown, 502, "unreachable");
    co_return found->second;
  }
  std::map<ServerName, boost::json::object> documents;
  std::map<std::pair<ServerName, ServerName>, std::vector<boost::json::object>> told;  // by notary and server
  std::shared_ptr<Flag> held;                                                          // no answer before
  int asked = 0;
  int notaries_asked = 0;
};

// A signed event as it arrives from its server.
inline boost::json::object make_pdu(const LocalServer& server, const std::string& text, Timestamp origin_server_ts,
                                    std::string_view room_version = "11") {
  EventDraft draft;
  draft.version = find_room_version(room_version);
  draft.room_id = RoomId::trusted("!room:" + server.name.str());
  draft.sender = UserId::trusted("@user:" + server.name.str());
  draft.type = "m.room.message";
  draft.content["body"] = text;
  draft.origin_server_ts = origin_server_ts;
  draft.prev_events.push_back(EventId::trusted("$prev"));
  draft.auth_events.push_back(EventId::trusted("$auth"));
  return json::parse_object(build_event(std::move(draft), server.name, server.key).value()->json()).value();
}

}  // namespace causeway::federation::test
