// Wakes requests that wait for something to happen to a user. Waiters are given a reason to look, never data.
#pragma once

#include <chrono>
#include <memory>

#include "schema/async/task.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

class Notifier {
 public:
  explicit Notifier(asio::any_io_executor reactor);
  ~Notifier();

  // True: woken (or woken since `ticket` was taken); false: the time is up or the server is draining.
  // Take the ticket before looking, so that nothing between looking and waiting is lost.
  using Ticket = std::uint64_t;
  Ticket ticket(UserNid user);
  Task<bool> wait(UserNid user, Ticket ticket, std::chrono::steady_clock::time_point until);

  void wake(UserNid user);
  void drain();  // everyone returns false, now and from now on
  std::size_t waiting() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
