// The head of each room in memory, and the lane in which it moves.
//
// A head is speculative: it holds what the next event is built on, ahead of the commits still under way. Everything
// that changes a room takes the room's lane (RoomHeads::enter), changes the head, hands a WriteUnit to the writer
// (RoomHeads::commit) and leaves the lane before the commit is done. A head whose unit failed is thrown away and read
// anew from the database.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/events/interner.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/lane.hpp"
#include "homeserver/runtime/signal.hpp"
#include "homeserver/stream/event_writer.hpp"
#include "schema/db/tables/rooms.hpp"

namespace causeway {

using NewEventPtr = std::shared_ptr<StoredEvent>;  // not committed yet

struct Extremity {
  explicit Extremity(const StoredEvent& event);
  EventNid nid;
  EventId id;
  crypto::Sha256 hash;  // its reference hash, where the room version cites events by it
  std::int64_t depth;
  StateRef after;  // the state after it
};

class RoomHead {
 public:
  RoomNid nid{};
  RoomId id;
  const RoomVersion* version = nullptr;
  std::vector<Extremity> extremities;
  std::int32_t state_version = 0;
  std::int32_t next_line = 1;
  // Joined members by server, to see the first come and the last leave.
  std::unordered_map<std::string, std::size_t> joined_by_server;
  // The newest version of forked lines that may be extended.
  std::unordered_map<std::int32_t, std::int32_t> line_ends;
  // What sets of states were found to resolve to, lately.
  std::map<std::vector<StateRef>, StateRef> resolutions;
  std::shared_ptr<HeadLineage> lineage = std::make_shared<HeadLineage>();

  StateRef current() const { return {0, state_version}; }
  bool in_room(const ServerName& server) const { return joined_by_server.contains(server.str()); }

  HeadUpdate update(const ServerName& self) const;  // what its row is to hold

  // Who holds a key of the current state; EventNid{0}: nobody.
  EventNid holder(StateKeyNid key) const;
  void set_holder(StateKeyNid key, EventNid event);
  void set_state(StateMapPtr state);
  StateMapPtr state() const;  // a copy where there are changes since set_state

  // State events that were used lately or are still being committed. nullptr when it must be fetched.
  StoredEventPtr cached(EventNid event) const;
  void remember(const StoredEventPtr& event);              // committed: may be forgotten at any time
  void remember_uncommitted(const StoredEventPtr& event);  // kept until committed(), since it can't be fetched
  void committed(EventNid event);
  bool is_uncommitted(EventNid event) const { return uncommitted_.contains(event); }
  void replace(const StoredEventPtr& redacted);

  // Its extremities were merged lately; not again before.
  Timestamp next_merge = 0;

  // Changed, and not yet handed to the writer.
  bool dirty = false;
  // Units handed to the writer that it has not answered for.
  std::size_t in_flight = 0;
  Signal settled;

 private:
  StateMapPtr base_ = std::make_shared<StateMap>();
  StateMap changes_;  // on top of base_
  std::unordered_map<EventNid, StoredEventPtr> events_, uncommitted_;
};
using RoomHeadPtr = std::shared_ptr<RoomHead>;

// Fewer than the writes that are worked on at a time, so that a room that stands still leaves places for others.
inline constexpr std::size_t max_waiting_for_room = 384;

// Rooms by when they were used, the most recent first.
struct UsedRooms {
  std::list<RoomId> rooms;
  std::size_t most = 0;
};

struct RoomSlot {
  RoomId id;
  Lane lane{max_waiting_for_room};
  RoomHeadPtr head;       // nullptr: not loaded, or no such room
  std::size_t joins = 0;  // of this server over federation, under way
  Signal joined;
  UsedRooms* listed = nullptr;  // where its place is `used`; nullptr: not kept, as no such room is known
  std::list<RoomId>::iterator used;
};

// The turn in a room's lane. A head that was changed but not committed when this ends is thrown away.
class RoomLock {
 public:
  RoomLock(std::shared_ptr<RoomSlot> slot, Lane::Turn turn) : slot_(std::move(slot)), turn_(std::move(turn)) {}
  RoomLock(RoomLock&&) noexcept = default;
  RoomLock& operator=(RoomLock&&) = delete;
  ~RoomLock();

  bool known() const { return slot_->head != nullptr; }
  RoomHead& head() const { return *slot_->head; }

 private:
  friend class RoomHeads;
  std::shared_ptr<RoomSlot> slot_;  // outlives the turn
  Lane::Turn turn_;
};

class RoomHeads {
 public:
  struct Services {
    db::Database& database;
    EventWriter& writer;
    Interner& interner;
    EventStore& events;
    StateStore& states;
    RoomReader& reader;
    ServerName self;
  };
  RoomHeads(Services services, std::size_t max_rooms);

  // Takes the room's lane and gives its head, read from the database if need be. Head absent: no such room here.
  Task<Result<RoomLock>> enter(RoomId room);
  // For a new room, or one just learnt of: the head to fill in.
  RoomHead& make_head(RoomLock& lock, RoomNid nid, const RoomVersion& version);

  // Hands the unit to the writer, with the head as it is now, leaves the lane, and waits for the commit.
  Task<Written> commit(RoomLock lock, WriteUnitPtr unit);
  // The same with the first unit of a room that is made by it: both, or neither.
  Task<Written> commit(RoomLock lock, WriteUnitPtr unit, RoomLock made, WriteUnitPtr first);
  // Waits, in the lane, until all that was handed over is committed. False when some of it failed: enter again.
  Task<bool> settle(RoomLock& lock);

  // The events that hold these keys now, nullptr where none does.
  Task<std::vector<StoredEventPtr>> holders(RoomHead& head, std::vector<StateKeyNid> keys);
  Task<StoredEventPtr> holder(RoomHead& head, StateKey key);

  // The room has no row any more. Nothing of it is in flight.
  void forget(RoomLock& lock);

  // Made if need be. Anybody can name rooms that don't exist, so one without a head lasts as long as somebody holds it,
  // and takes no other's place.
  std::shared_ptr<RoomSlot> slot(const RoomId& room);
  std::shared_ptr<RoomSlot> find(const RoomId& room);  // nullptr where there is none
  std::size_t kept() const { return kept_.size(); }
  Task<> drain();

 private:
  Task<RoomHeadPtr> load(RoomId room);
  void put_head_in(WriteUnit& unit, RoomLock lock) const;
  Task<> count_members(RoomHead& head);
  void keep(const std::shared_ptr<RoomSlot>& slot);
  void let_go(const std::shared_ptr<RoomSlot>& slot);
  void evict(UsedRooms& used);

  Services services_;
  std::unordered_map<RoomId, std::shared_ptr<RoomSlot>> kept_;
  // Those that this server is in, and others, which an invite is enough to make known: they don't push out the former.
  UsedRooms lived_in_, visited_;
  std::unordered_map<RoomId, std::weak_ptr<RoomSlot>> passing_;  // without a head
  std::size_t sweep_at_ = 64;                                    // so many of them, before those that are gone go
};

}  // namespace causeway
