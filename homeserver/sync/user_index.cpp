#include "homeserver/sync/user_index.hpp"

#include "homeserver/runtime/memory_use.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/memberships.hpp"

namespace causeway {

namespace {

constexpr std::size_t user_bytes = sizeof(UserIndex::User) + 4 * node_bytes;
// The user's entry for the room, and the room's for the user.
constexpr std::size_t joined_bytes = node_bytes + sizeof(void*);

std::size_t bytes_of(const IgnoredUsers& ignored) {
  std::size_t bytes = 0;
  for (const std::string& user : ignored)
    bytes += node_bytes + sizeof(user) + heap_bytes(user);
  return bytes;
}

struct Loaded {
  StreamPosition last_account_data = 0, last_forgotten = 0;
  IgnoredUsers ignored;
  bool blocks_invites = false;
};

Loaded load_user(db::Connection& connection, UserNid user, const UserId& id) {
  Loaded loaded;
  loaded.last_account_data = db::last_account_data(connection, user);
  loaded.last_forgotten = db::last_forgotten(connection, user);
  constexpr std::string_view types[] = {ignored_user_list_type, invite_permission_config_type};
  for (const auto& data : db::global_account_data(connection, user, types)) {
    if (data.type == ignored_user_list_type)
      loaded.ignored = ignored_users(data.content_json, id);
    else
      loaded.blocks_invites = blocks_invites(data.content_json);
  }
  return loaded;
}

}  // namespace

Task<UserIndex::UserPtr> UserIndex::get(UserNid nid, UserId id) {
  Held user = find(nid);
  if (!user) {
    forget_unused();
    user = std::make_shared<User>();
    user->nid = nid;
    user->id = std::move(id);
    user->used = by_use_.insert(by_use_.begin(), user);
    users_.emplace(nid, user);
    bytes_ += user_bytes;
  } else {
    by_use_.splice(by_use_.begin(), by_use_, user->used);
  }
  if (!user->ready) co_await load(user);
  co_return user;
}

// While this reads, the hub's news are noted already; the memberships come last because they are read as of now.
Task<> UserIndex::load(Held user) {
  auto read = [nid = user->nid, id = user->id](db::Connection& c) { return load_user(c, nid, id); };
  Loaded loaded = co_await database_.run(std::move(read));
  user->last_account_data = std::max(user->last_account_data, loaded.last_account_data);
  user->last_forgotten = std::max(user->last_forgotten, loaded.last_forgotten);
  if (!user->ignored_is_current) set_ignored(*user, std::move(loaded.ignored));
  if (!user->invite_permission_is_current) user->blocks_invites = loaded.blocks_invites;

  const auto memberships = co_await reader_.memberships(user->nid);
  std::unordered_set<RoomNid> now;
  for (const auto& membership : *memberships)
    if (membership.membership == db::Membership::join) now.insert(membership.room);
  const auto before = user->joined;
  for (RoomNid room : before)
    if (!now.contains(room)) leave(*user, room);
  for (RoomNid room : now)
    join(*user, room);
  user->last_change = hub_.position();
  user->last_typing = typing_.sequence();
  user->ready = true;
}

UserIndex::Held UserIndex::find(UserNid user) const {
  auto found = users_.find(user);
  return found == users_.end() ? nullptr : found->second;
}

void UserIndex::join(User& user, RoomNid room) {
  if (!user.joined.insert(room).second) return;
  rooms_[room].push_back(&user);
  bytes_ += joined_bytes;
}

void UserIndex::leave(User& user, RoomNid room) {
  if (user.joined.erase(room) == 0) return;
  auto in_room = rooms_.find(room);
  std::erase(in_room->second, &user);
  if (in_room->second.empty()) rooms_.erase(in_room);
  bytes_ -= joined_bytes;
}

void UserIndex::set_ignored(User& user, IgnoredUsers ignored) {
  bytes_ -= bytes_of(user.ignored);
  user.ignored = std::move(ignored);
  bytes_ += bytes_of(user.ignored);
}

void UserIndex::forget_unused() {
  while (bytes_ > max_bytes_ && !by_use_.empty()) {
    const Held oldest = by_use_.back();
    constexpr long held_here = 3;  // the list, the map and `oldest`
    if (oldest.use_count() > held_here) {
      // A request holds it: that is use.
      by_use_.splice(by_use_.begin(), by_use_, oldest->used);
      return;
    }
    const auto rooms = oldest->joined;
    for (RoomNid room : rooms)
      leave(*oldest, room);
    by_use_.pop_back();
    users_.erase(oldest->nid);
    bytes_ -= user_bytes + bytes_of(oldest->ignored);
  }
}

void UserIndex::committed(const std::vector<CommittedPtr>& commits) {
  std::unordered_set<User*> concerned;
  for (const CommittedPtr& facts : commits) {
    const bool live = std::any_of(facts->events.begin(), facts->events.end(),
                                  [](const auto& event) { return event.placement == Placement::live; });
    if (live) in_room(facts->room, concerned);
    note_receipts(*facts, concerned);
    note_memberships(*facts, concerned);
    note_account_data(*facts, concerned);
  }
  for (User* user : concerned) {
    user->last_change = commits.back()->until;
    notifier_.wake(user->nid);
  }
}

void UserIndex::typing_changed(RoomNid room) {
  auto found = rooms_.find(room);
  if (found == rooms_.end()) return;
  const auto sequence = typing_.sequence();
  for (User* user : found->second) {
    if (user->last_typing == sequence) continue;
    user->last_typing = sequence;
    notifier_.wake(user->nid);
  }
}

void UserIndex::in_room(RoomNid room, std::unordered_set<User*>& concerned) const {
  auto found = rooms_.find(room);
  if (found != rooms_.end()) concerned.insert(found->second.begin(), found->second.end());
}

void UserIndex::note_receipts(const Committed& facts, std::unordered_set<User*>& concerned) {
  for_each_change<db::ReceiptChange>(facts, [&](const auto& receipt) {
    if (receipt.receipt_type != "m.read.private")
      in_room(receipt.room, concerned);
    else if (const Held user = find(receipt.user))
      concerned.insert(user.get());
  });
}

void UserIndex::note_memberships(const Committed& facts, std::unordered_set<User*>& concerned) {
  for (const MembershipChange& change : facts.memberships) {
    const Held user = find(change.user);
    if (!user) continue;
    if (change.forgotten) user->last_forgotten = change.position;
    if (change.membership == db::Membership::join)
      join(*user, change.room);
    else
      leave(*user, change.room);
    concerned.insert(user.get());
  }
}

void UserIndex::note_account_data(const Committed& facts, std::unordered_set<User*>& concerned) {
  for_each_change<db::AccountDataChange>(facts, [&](const auto& change) {
    const Held user = find(change.user);
    if (!user) return;
    user->last_account_data = change.position;
    if (change.room == RoomNid{} && change.type == ignored_user_list_type) {
      set_ignored(*user, ignored_users(change.content_json, user->id));
      user->ignored_is_current = true;
    }
    if (change.room == RoomNid{} && change.type == invite_permission_config_type) {
      user->blocks_invites = blocks_invites(change.content_json);
      user->invite_permission_is_current = true;
    }
    concerned.insert(user.get());
  });
}

}  // namespace causeway
