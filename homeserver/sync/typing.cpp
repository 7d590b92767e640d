#include "homeserver/sync/typing.hpp"

#include "homeserver/runtime/memory_use.hpp"

namespace causeway {

namespace {
constexpr std::chrono::milliseconds max_timeout{120'000};
constexpr std::size_t max_typing_per_room = 500;
constexpr std::size_t max_typing_bytes = 16 << 20;  // in all rooms
constexpr std::size_t max_rooms = 65'536;
}  // namespace

struct TypingService::Impl : std::enable_shared_from_this<TypingService::Impl> {
  using TimePoint = std::chrono::steady_clock::time_point;
  using TimeOuts = std::multimap<TimePoint, std::pair<RoomNid, UserId>>;
  struct Typist {
    TimeOuts::iterator time_out;
    bool local = false;
  };
  struct Room {
    std::map<UserId, Typist> typing;
    std::uint64_t changed_at = 0;
  };

  Impl(asio::any_io_executor reactor, const Clock& clock_, std::uint32_t epoch_)
      : clock(clock_), epoch(epoch_), timer(std::move(reactor)) {}

  void changed(RoomNid nid, Room& room) {
    by_change.erase(room.changed_at);
    room.changed_at = ++sequence;
    by_change.emplace(sequence, nid);
  }

  static std::size_t bytes_of(const UserId& user) {
    return 2 * (node_bytes + heap_bytes(user.str())) + sizeof(Typist) + sizeof(TimeOuts::value_type);
  }

  void tell(RoomNid room, const UserId& user, bool typing, bool local) {
    for (const auto& listener : listeners)
      listener(room, user, typing, local);
  }

  void start(RoomNid nid, const UserId& user, std::chrono::milliseconds timeout, bool local) {
    forget_quiet_rooms();
    Room& room = rooms[nid];
    auto found = room.typing.find(user);
    const bool begins = found == room.typing.end();
    if (begins && (room.typing.size() >= max_typing_per_room || bytes + bytes_of(user) > max_typing_bytes)) return;
    if (begins) bytes += bytes_of(user);
    if (!begins) time_outs.erase(found->second.time_out);
    const auto until = clock.steady() + std::min(timeout, max_timeout);
    const Typist typist{time_outs.emplace(until, std::pair(nid, user)), local};
    room.typing.insert_or_assign(user, typist);
    if (begins) changed(nid, room);
    tell(nid, user, true, local);
    schedule();
  }

  void stop(RoomNid nid, const UserId& user) {
    auto room = rooms.find(nid);
    if (room == rooms.end()) return;
    auto found = room->second.typing.find(user);
    if (found == room->second.typing.end()) return;
    const bool local = found->second.local;
    time_outs.erase(found->second.time_out);
    bytes -= bytes_of(user);
    room->second.typing.erase(found);
    changed(nid, room->second);
    tell(nid, user, false, local);
  }

  // One timer for all: for the time-out that comes first.
  void schedule() {
    if (time_outs.empty() || time_outs.begin()->first >= next_check) return;
    next_check = time_outs.begin()->first;
    timer.expires_after(std::max(next_check - clock.steady(), TimePoint::duration::zero()));
    timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
      auto self = weak.lock();
      if (self && !error) self->expire();
    });
  }

  void expire() {
    next_check = TimePoint::max();
    const auto now = clock.steady();
    while (!time_outs.empty() && time_outs.begin()->first <= now) {
      const auto [room, user] = time_outs.begin()->second;
      stop(room, user);
    }
    schedule();
  }

  // Rooms in which nobody types are kept for those who have yet to learn it. When there are too many all are forgotten,
  // and a new epoch makes everyone read the current state.
  void forget_quiet_rooms() {
    if (rooms.size() < max_rooms) return;
    std::erase_if(rooms, [this](const auto& entry) {
      if (!entry.second.typing.empty()) return false;
      by_change.erase(entry.second.changed_at);
      return true;
    });
    ++epoch;
  }

  const Clock& clock;
  std::uint32_t epoch;
  std::uint64_t sequence = 0;
  std::unordered_map<RoomNid, Room> rooms;
  std::map<std::uint64_t, RoomNid> by_change;
  TimeOuts time_outs;
  std::vector<Listener> listeners;
  asio::steady_timer timer;
  TimePoint next_check = TimePoint::max();
  std::size_t bytes = 0;  // of those who type
};

TypingService::TypingService(asio::any_io_executor reactor, const Clock& clock, std::uint32_t epoch)
    : impl_(std::make_shared<Impl>(std::move(reactor), clock, epoch)) {}
TypingService::~TypingService() {
  impl_->timer.cancel();
}

std::uint32_t TypingService::epoch() const {
  return impl_->epoch;
}
std::uint64_t TypingService::sequence() const {
  return impl_->sequence;
}

void TypingService::set(RoomNid room, UserId user, bool typing, std::chrono::milliseconds timeout, bool local) {
  if (typing && timeout > std::chrono::milliseconds::zero())
    impl_->start(room, user, timeout, local);
  else
    impl_->stop(room, user);
}

std::vector<UserId> TypingService::in_room(RoomNid room) const {
  std::vector<UserId> users;
  auto found = impl_->rooms.find(room);
  if (found == impl_->rooms.end()) return users;
  for (const auto& [user, typist] : found->second.typing)
    users.push_back(user);
  return users;
}

std::vector<RoomNid> TypingService::rooms_changed(std::uint64_t since) const {
  std::vector<RoomNid> rooms;
  for (auto at = impl_->by_change.upper_bound(since); at != impl_->by_change.end(); ++at)
    rooms.push_back(at->second);
  return rooms;
}

void TypingService::add_listener(Listener listener) {
  impl_->listeners.push_back(std::move(listener));
}

}  // namespace causeway
