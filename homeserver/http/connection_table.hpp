// The open connections of a server and which of them wait for a request.
#pragma once

#include <boost/intrusive/list.hpp>
#include <functional>

#include "homeserver/runtime/metrics.hpp"

namespace causeway::http {

class Connection;

// A connection is in one list of the table or in none; changing lists costs no memory.
using ListedConnection = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class ConnectionTable {
 public:
  explicit ConnectionTable(Metrics& metrics);
  ~ConnectionTable();

  void add(Connection& connection);
  void remove(Connection& connection);  // nothing if it was removed before
  // Idle: open, and not a byte of a request has come.
  void set_idle(Connection& connection) { move_to(idle_, connection); }
  void set_busy(Connection& connection) { move_to(busy_, connection); }

  std::size_t size() const { return size_; }
  bool close_oldest_idle();  // false: none is idle
  void close_all_idle();
  void close_all();
  void when_empty(std::function<void()> callback);  // called each time the last one is removed

 private:
  using List =
      boost::intrusive::list<ListedConnection, boost::intrusive::constant_time_size<false>>;  // the longest there first
  static void move_to(List& list, Connection& connection);
  void close_first_of(List& list);

  List idle_, busy_;
  std::size_t size_ = 0;
  std::function<void()> when_empty_;
  prometheus::Gauge& gauge_;
};

}  // namespace causeway::http
