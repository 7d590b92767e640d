#include "homeserver/rooms/head/room_head.hpp"

#include "schema/events/signing.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

Extremity::Extremity(const StoredEvent& event)
    : nid(event.nid),
      id(event.event->id()),
      hash(reference_to(*event.event).hash),
      depth(event.event->depth()),
      after(event.state_after()) {}

namespace {

constexpr std::size_t max_cached_events = 256;
constexpr std::size_t max_changes = 1024;
// So many slots of rooms that are not known are there before those that nobody holds are looked for.
constexpr std::size_t min_sweep = 64;
// Of rooms that this server is in, for each that it is not in and whose head is kept too.
constexpr std::size_t lived_in_per_visited = 10;

}  // namespace

HeadUpdate RoomHead::update(const ServerName& self) const {
  HeadUpdate update;
  for (const auto& extremity : extremities)
    update.extremities.push_back(extremity.nid);
  update.state_version = state_version;
  update.next_line = next_line;
  update.resident = in_room(self);
  return update;
}

EventNid RoomHead::holder(StateKeyNid key) const {
  if (auto changed = changes_.find(key); changed != changes_.end()) return changed->second;
  auto found = base_->find(key);
  return found == base_->end() ? EventNid{} : found->second;
}

void RoomHead::set_holder(StateKeyNid key, EventNid event) {
  changes_[key] = event;
  if (changes_.size() > max_changes) set_state(state());
}

void RoomHead::set_state(StateMapPtr state) {
  base_ = std::move(state);
  changes_.clear();
}

StateMapPtr RoomHead::state() const {
  if (changes_.empty()) return base_;
  auto whole = std::make_shared<StateMap>(*base_);
  for (const auto& [key, event] : changes_) {
    if (event == EventNid{})
      whole->erase(key);
    else
      (*whole)[key] = event;
  }
  return whole;
}

StoredEventPtr RoomHead::cached(EventNid event) const {
  if (auto found = uncommitted_.find(event); found != uncommitted_.end()) return found->second;
  auto found = events_.find(event);
  return found == events_.end() ? nullptr : found->second;
}

void RoomHead::remember(const StoredEventPtr& event) {
  if (events_.size() >= max_cached_events) events_.clear();
  events_[event->nid] = event;
}

void RoomHead::remember_uncommitted(const StoredEventPtr& event) {
  uncommitted_[event->nid] = event;
}

void RoomHead::committed(EventNid event) {
  auto found = uncommitted_.find(event);
  if (found == uncommitted_.end()) return;
  remember(found->second);
  uncommitted_.erase(found);
}

void RoomHead::replace(const StoredEventPtr& redacted) {
  if (auto found = events_.find(redacted->nid); found != events_.end()) found->second = redacted;
}

RoomLock::~RoomLock() {
  if (!slot_ || !slot_->head || !slot_->head->dirty) return;
  slot_->head->lineage->broken = true;
  slot_->head->dirty = false;
}

RoomHeads::RoomHeads(Services services, std::size_t max_rooms)
    : services_(std::move(services)), lived_in_{{}, max_rooms}, visited_{{}, max_rooms / lived_in_per_visited + 1} {}

std::shared_ptr<RoomSlot> RoomHeads::find(const RoomId& room) {
  if (auto kept = kept_.find(room); kept != kept_.end()) return kept->second;
  auto passing = passing_.find(room);
  return passing == passing_.end() ? nullptr : passing->second.lock();
}

std::shared_ptr<RoomSlot> RoomHeads::slot(const RoomId& room) {
  if (auto held = find(room)) return held;
  if (passing_.size() >= sweep_at_) {
    std::erase_if(passing_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max(min_sweep, 2 * passing_.size());
  }
  auto slot = std::make_shared<RoomSlot>();
  slot->id = room;
  passing_[room] = slot;
  return slot;
}

void RoomHeads::keep(const std::shared_ptr<RoomSlot>& slot) {
  UsedRooms& used = slot->head->in_room(services_.self) ? lived_in_ : visited_;
  if (slot->listed) {
    used.rooms.splice(used.rooms.begin(), slot->listed->rooms, slot->used);
  } else {
    passing_.erase(slot->id);
    kept_.emplace(slot->id, slot);
    used.rooms.push_front(slot->id);
  }
  slot->listed = &used;
  slot->used = used.rooms.begin();
  evict(used);
}

void RoomHeads::let_go(const std::shared_ptr<RoomSlot>& slot) {
  if (!slot->listed) return;
  slot->listed->rooms.erase(slot->used);
  slot->listed = nullptr;
  kept_.erase(slot->id);
  passing_[slot->id] = slot;
}

// Slots that somebody holds (a lock, a waiter in the lane, a commit under way) stay.
void RoomHeads::evict(UsedRooms& used) {
  auto oldest = used.rooms.end();
  while (used.rooms.size() > used.most && oldest != used.rooms.begin()) {
    --oldest;
    auto found = kept_.find(*oldest);
    if (found->second.use_count() > 1) continue;
    kept_.erase(found);
    oldest = used.rooms.erase(oldest);
  }
}

Task<Result<RoomLock>> RoomHeads::enter(RoomId room) {
  auto held = slot(room);
  auto turn = co_await held->lane.enter();
  if (!turn) co_return turn.error();
  RoomLock lock(held, std::move(*turn));
  if (held->head && held->head->lineage->broken) {
    while (held->head->in_flight > 0)
      co_await held->head->settled.wait();
    held->head = nullptr;
  }
  if (!held->head) held->head = co_await load(std::move(room));
  if (held->head)
    keep(held);
  else
    let_go(held);
  co_return std::move(lock);
}

RoomHead& RoomHeads::make_head(RoomLock& lock, RoomNid nid, const RoomVersion& version) {
  CAUSEWAY_ASSERT(!lock.slot_->head);
  auto head = std::make_shared<RoomHead>();
  head->nid = nid;
  head->id = lock.slot_->id;
  head->version = &version;
  head->dirty = true;
  lock.slot_->head = head;
  keep(lock.slot_);
  return *head;
}

Task<RoomHeadPtr> RoomHeads::load(RoomId room) {
  auto find = [room](db::Connection& connection) { return db::find_room(connection, room); };
  auto row = co_await services_.database.run(std::move(find));
  if (!row) co_return nullptr;
  auto head = std::make_shared<RoomHead>();
  head->nid = row->nid;
  head->id = row->id;
  head->version = find_room_version(row->version);
  CAUSEWAY_ASSERT(head->version);
  head->state_version = row->state_version;
  head->next_line = row->next_line;
  auto state = co_await services_.states.at(head->nid, head->current());
  head->set_state(std::move(state));
  auto extremities = co_await services_.events.by_nid(row->extremities);
  for (const auto& event : extremities) {
    CAUSEWAY_ASSERT(event);
    head->extremities.emplace_back(*event);
  }
  co_await count_members(*head);
  co_return head;
}

// Nothing of the room is being committed while its head is loaded, so what readers see is this head.
Task<> RoomHeads::count_members(RoomHead& head) {
  auto members = co_await services_.reader.members(head.nid);
  for (const auto& member : members->all)
    if (member.membership == db::Membership::join) ++head.joined_by_server[std::string(member.user.server())];
}

namespace {

// Counts a unit as in flight, also when its coroutine ends by an exception.
class InFlight {
 public:
  explicit InFlight(RoomHeadPtr head) : head_(std::move(head)) {
    ++head_->in_flight;
    head_->dirty = false;
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() {
    if (!committed_) head_->lineage->broken = true;
    if (--head_->in_flight == 0) head_->settled.notify_all();
  }
  void committed(const WriteUnit& unit) {
    committed_ = true;
    for (const auto& event : unit.events)
      head_->committed(event.stored->nid);
  }

 private:
  RoomHeadPtr head_;
  bool committed_ = false;
};

}  // namespace

// And leaves the lane: what the next one in it changes is no longer this lock's.
void RoomHeads::put_head_in(WriteUnit& unit, RoomLock lock) const {
  const RoomHead& head = lock.head();
  unit.room = head.nid;
  unit.head = head.update(services_.self);
  unit.lineage = head.lineage;
}

Task<Written> RoomHeads::commit(RoomLock lock, WriteUnitPtr unit) {
  auto slot = lock.slot_;  // keeps the slot while the commit is under way
  InFlight in_flight(slot->head);
  put_head_in(*unit, std::move(lock));
  // The next in the lane runs only once this suspends, and commit() queues the unit before that: order is kept.
  const Written written = co_await services_.writer.commit(unit);
  if (written) in_flight.committed(*unit);
  co_return written;
}

Task<Written> RoomHeads::commit(RoomLock lock, WriteUnitPtr unit, RoomLock made, WriteUnitPtr first) {
  auto slot = lock.slot_, slot_of_made = made.slot_;
  InFlight in_flight(slot->head), first_in_flight(slot_of_made->head);
  put_head_in(*unit, std::move(lock));
  put_head_in(*first, std::move(made));
  unit->made_with = first;
  const Written written = co_await services_.writer.commit(unit);
  if (written) {
    in_flight.committed(*unit);
    first_in_flight.committed(*first);
  }
  co_return written;
}

Task<bool> RoomHeads::settle(RoomLock& lock) {
  auto head = lock.slot_->head;
  while (head->in_flight > 0)
    co_await head->settled.wait();
  co_return !head->lineage->broken;
}

Task<std::vector<StoredEventPtr>> RoomHeads::holders(RoomHead& head, std::vector<StateKeyNid> keys) {
  std::vector<StoredEventPtr> found(keys.size());
  std::vector<EventNid> missing;
  std::vector<std::size_t> missing_at;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const EventNid nid = head.holder(keys[i]);
    if (nid == EventNid{}) continue;
    found[i] = head.cached(nid);
    if (found[i]) continue;
    missing.push_back(nid);
    missing_at.push_back(i);
  }
  if (missing.empty()) co_return found;
  auto fetched = co_await services_.events.by_nid(std::move(missing));
  for (std::size_t i = 0; i < fetched.size(); ++i) {
    CAUSEWAY_ASSERT(fetched[i]);
    found[missing_at[i]] = fetched[i];
    head.remember(fetched[i]);
  }
  co_return found;
}

Task<StoredEventPtr> RoomHeads::holder(RoomHead& head, StateKey key) {
  const StateKeyNid nid = co_await services_.interner.state_key(std::move(key));
  std::vector<StateKeyNid> keys(1, nid);
  auto found = co_await holders(head, std::move(keys));
  co_return found.front();
}

void RoomHeads::forget(RoomLock& lock) {
  CAUSEWAY_ASSERT(lock.slot_->head && lock.slot_->head->in_flight == 0);
  lock.slot_->head = nullptr;
  let_go(lock.slot_);
}

Task<> RoomHeads::drain() {
  std::vector<std::shared_ptr<RoomSlot>> all;
  for (const auto& [id, slot] : kept_)
    all.push_back(slot);
  for (const auto& [id, passing] : passing_)
    if (auto slot = passing.lock()) all.push_back(std::move(slot));
  for (const auto& slot : all) {
    auto turn = co_await slot->lane.enter();
    auto head = slot->head;
    while (head && head->in_flight > 0)
      co_await head->settled.wait();
  }
}

}  // namespace causeway
