// Who is typing: in memory only, with a sequence of its own that is tagged with the process's epoch.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "homeserver/runtime/clock.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

class TypingService {
 public:
  // `epoch` is random per process.
  TypingService(asio::any_io_executor reactor, const Clock& clock, std::uint32_t epoch);
  ~TypingService();

  std::uint32_t epoch() const;     // another one: nothing is known about earlier changes
  std::uint64_t sequence() const;  // rises with every change anywhere

  // Of local and remote users. timeout is cut to 120 s. `local` changes go to peers (listener).
  void set(RoomNid room, UserId user, bool typing, std::chrono::milliseconds timeout, bool local);
  std::vector<UserId> in_room(RoomNid room) const;
  std::vector<RoomNid> rooms_changed(std::uint64_t since) const;

  using Listener = std::function<void(RoomNid room, const UserId& user, bool typing, bool local)>;
  void add_listener(Listener listener);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway
