// Replies that clients have not taken yet. Together they hold no more than so much memory: beyond it, whoever has taken
// nothing for the longest is cut off.
#pragma once

#include <cstddef>
#include <list>

#include "homeserver/runtime/metrics.hpp"

namespace causeway::http {

class Connection;

// Belongs to the reactor thread.
class UnsentReplies {
 public:
  UnsentReplies(std::size_t max_bytes, Metrics& metrics);

  // A reply on its way, for as long as it is held.
  class Reply {
   public:
    Reply(UnsentReplies& all, Connection& connection, std::size_t bytes);
    ~Reply();
    Reply(const Reply&) = delete;
    Reply& operator=(const Reply&) = delete;
    // The client has taken a part of it.
    void progress();

   private:
    friend class UnsentReplies;
    UnsentReplies& all_;
    Connection& connection_;
    const std::size_t bytes_;
    std::list<Reply*>::iterator at_;
  };

  std::size_t bytes() const { return bytes_; }

 private:
  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<Reply*> replies_;  // the latest to make progress at the back
  prometheus::Gauge& gauge_;
  prometheus::Counter& cut_off_;
};

}  // namespace causeway::http
