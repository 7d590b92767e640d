// Follows the stream and misses nothing of it: what is committed comes to it one unit after the other, in order. What
// was committed while it was not there, or so far behind that memory does not hold it, it reads from the database.
//
// Federation's outbox is one; whoever carries facts out of this process, or derives from them what is kept, is another.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "homeserver/stream/stream_hub.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"

namespace causeway {

class Consumer {
 public:
  struct Work {
    // The facts of one unit. What it throws is logged, and the span is caught up with after a pause.
    std::function<Task<>(CommittedPtr facts)> take;
    // Everything with after < position <= until, as the database has it.
    std::function<Task<>(StreamPosition after, StreamPosition until)> catch_up;
  };
  struct Settings {
    // Where the position is kept over restarts (table consumers): saved after the effects, so after a crash some come
    // twice. Empty: whoever works keeps account itself; begins with catch_up(0, now) at each start.
    std::string name;
    std::size_t max_waiting = 65'536;  // units in memory; beyond, they are caught up with
  };

  // Listens to the hub in Stage::deliver.
  Consumer(asio::any_io_executor reactor, StreamHub& hub, db::Database& database, Settings settings, Work work);
  ~Consumer();

  // Once, after the hub has its position.
  Task<> start();
  // All up to here has been worked on.
  StreamPosition position() const;
  // Ends after the unit that is being worked on, and saves.
  Task<> drain();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway
