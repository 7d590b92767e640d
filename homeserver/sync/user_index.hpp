// The local users who sync, with what tells at once whether there is anything new for them.
//
// Kept current by the hub: a committed unit finds those it concerns through the list of its room, so that waking costs
// nothing that grows with the rest of the server.
#pragma once

#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/stream/committed.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/sync/notifier.hpp"
#include "homeserver/sync/typing.hpp"
#include "schema/matrix/account_data.hpp"

namespace causeway {

class UserIndex {
 public:
  struct User {
    UserNid nid{};
    UserId id;
    std::unordered_set<RoomNid> joined;
    // Upper bounds: nothing of the kind that concerns this user is newer.
    StreamPosition last_change = 0;
    StreamPosition last_account_data = 0;
    StreamPosition last_forgotten = 0;
    std::uint64_t last_typing = 0;
    // spec: client-server-api#ignoring-users
    IgnoredUsers ignored;
    // spec: client-server-api#invite-permission
    bool blocks_invites = false;

   private:
    friend class UserIndex;
    bool ready = false;
    bool ignored_is_current = false, invite_permission_is_current = false;  // heard from the hub
    std::list<std::shared_ptr<User>>::iterator used;
  };
  using UserPtr = std::shared_ptr<const User>;

  UserIndex(db::Database& database, StreamHub& hub, RoomReader& reader, TypingService& typing, Notifier& notifier,
            std::size_t max_bytes = 128 << 20)
      : database_(database), hub_(hub), reader_(reader), typing_(typing), notifier_(notifier), max_bytes_(max_bytes) {}

  // From memory, but for a user who was not here lately. Stays in the index while it is held.
  Task<UserPtr> get(UserNid nid, UserId id);

  void committed(const std::vector<CommittedPtr>& commits);
  void typing_changed(RoomNid room);

 private:
  using Held = std::shared_ptr<User>;
  Task<> load(Held user);
  Held find(UserNid user) const;
  void join(User& user, RoomNid room);
  void leave(User& user, RoomNid room);
  void set_ignored(User& user, IgnoredUsers ignored);
  void forget_unused();
  void in_room(RoomNid room, std::unordered_set<User*>& concerned) const;
  void note_receipts(const Committed& facts, std::unordered_set<User*>& concerned);
  void note_memberships(const Committed& facts, std::unordered_set<User*>& concerned);
  void note_account_data(const Committed& facts, std::unordered_set<User*>& concerned);

  db::Database& database_;
  StreamHub& hub_;
  RoomReader& reader_;
  TypingService& typing_;
  Notifier& notifier_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;  // of all users
  std::unordered_map<UserNid, Held> users_;
  std::unordered_map<RoomNid, std::vector<User*>> rooms_;
  std::list<Held> by_use_;  // the latest first
};

}  // namespace causeway
