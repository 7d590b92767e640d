// Wakes everyone who waits for something that happens on the reactor thread.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <vector>

#include "schema/async/task.hpp"

namespace causeway {

// Reactor thread only. Must outlive those who wait.
class Signal {
 public:
  Task<> wait();  // until the next notify_all()
  void notify_all();

 private:
  std::vector<std::shared_ptr<asio::steady_timer>> waiting_;
};

}  // namespace causeway
