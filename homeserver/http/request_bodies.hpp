// The bodies of requests, from their first byte until they are answered. Together they take no more than so much
// memory: beyond it, whoever of those that are still sending has sent nothing for the longest is cut off.
#pragma once

#include <cstddef>
#include <list>

#include "homeserver/runtime/metrics.hpp"

namespace causeway::http {

class Connection;

// Belongs to the reactor thread.
class RequestBodies {
 public:
  RequestBodies(std::size_t max_bytes, Metrics& metrics);

  // One body, for as long as it is held.
  class Body {
   public:
    Body(RequestBodies& all, Connection& connection);
    ~Body();
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    // The client has sent something: so much is held by now. False: there is no room, nor anybody to be cut off for it.
    bool hold(std::size_t bytes);
    // It is all here.
    void complete();

   private:
    friend class RequestBodies;
    RequestBodies& all_;
    Connection& connection_;
    std::size_t bytes_ = 0;
    bool arriving_ = true;
    std::list<Body*>::iterator at_;
  };

 private:
  bool make_room(const Body& for_body);
  void changed();

  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<Body*> arriving_;  // the latest to send something at the back
  prometheus::Gauge& gauge_;
  prometheus::Counter& cut_off_;
};

}  // namespace causeway::http
