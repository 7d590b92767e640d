#include "homeserver/rooms/reader/server_acl.hpp"

#include <algorithm>

#include "schema/json/json.hpp"
#include "schema/matrix/glob.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_bytes = 16 << 20;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  return out;
}

std::vector<std::string> patterns(const boost::json::object& content, std::string_view key) {
  std::vector<std::string> out;
  if (const auto* list = json::find_array(content, key))
    for (const auto& element : *list)
      if (element.is_string()) out.push_back(lower(element.get_string()));
  return out;
}

std::string without_port(const ServerName& server) {
  std::string name = server.str();
  if (server.port()) name.resize(name.rfind(':'));
  return name;
}

}  // namespace

ServerAcl::ServerAcl(const boost::json::object& content)
    : exists_(true),
      allow_ip_literals_(json::find_bool(content, "allow_ip_literals").value_or(true)),
      allow_(patterns(content, "allow")),
      deny_(patterns(content, "deny")) {}

// spec: client-server-api#mroomserver_acl
bool ServerAcl::allows(const ServerName& server) const {
  if (!exists_) return true;
  if (!allow_ip_literals_ && server.is_ip_literal()) return false;
  const std::string name = lower(without_port(server));
  const auto matches = [&name](const std::string& pattern) { return glob_matches(pattern, name); };
  if (std::ranges::any_of(deny_, matches)) return false;
  return std::ranges::any_of(allow_, matches);
}

ServerAclCache::ServerAclCache(RoomCache& rooms, Interner& interner, EventStore& events, StateStore& states)
    : rooms_(rooms),
      interner_(interner),
      events_(events),
      states_(states),
      acls_(
          max_bytes, [this](RoomNid nid) { return load(nid); },
          [](RoomNid, const ServerAcl& acl) { return acl.heap_bytes(); }) {}

std::size_t ServerAcl::heap_bytes() const {
  std::size_t bytes = 0;
  for (const auto* list : {&allow_, &deny_})
    for (const std::string& pattern : *list)
      bytes += sizeof(pattern) + causeway::heap_bytes(pattern);
  return bytes;
}

Task<bool> ServerAclCache::allows(ServerName server, RoomNid room) {
  const auto acl = co_await acls_.get(room);
  co_return !acl || acl->allows(server);
}

void ServerAclCache::committed(const Committed& facts) {
  for (const CommittedState& change : facts.state)
    if (change.line == 0 && change.key == key_) acls_.drop(facts.room);
  for (const ReplacedEvent& replaced : facts.replaced)
    if (replaced.stored->key == key_) acls_.drop(replaced.stored->room);
}

Task<std::shared_ptr<ServerAcl>> ServerAclCache::load(RoomNid nid) {
  if (key_ == StateKeyNid{}) {
    StateKey key{"m.room.server_acl", ""};
    key_ = co_await interner_.state_key(std::move(key));
  }
  const RoomInfoPtr room = co_await rooms_.room(nid);
  if (!room) co_return nullptr;
  std::vector<StateKeyNid> keys(1, key_);
  const auto holders = co_await states_.lookup(nid, room->state, std::move(keys));
  if (holders.front() == EventNid{}) co_return std::make_shared<ServerAcl>();
  const auto events = co_await events_.by_nid(holders);
  co_return events.front() ? std::make_shared<ServerAcl>(events.front()->event->content()) : nullptr;
}

}  // namespace causeway
