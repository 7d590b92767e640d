// The open connections of a server and which of them wait for a request.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <unordered_map>

#include "homeserver/runtime/metrics.hpp"

namespace causeway::http {

class Connection;

class ConnectionTable {
 public:
  explicit ConnectionTable(Metrics& metrics);
  ~ConnectionTable();

  void add(const std::shared_ptr<Connection>& connection);
  void remove(const Connection* connection);
  // Idle: open, and not a byte of a request has come.
  void set_idle(const Connection* connection);
  void set_busy(const Connection* connection);

  std::size_t size() const { return entries_.size(); }
  bool close_oldest_idle();  // false: none is idle
  void close_all_idle();
  void close_all();
  void when_empty(std::function<void()> callback);  // called each time the last one is removed

 private:
  struct Entry {
    std::weak_ptr<Connection> connection;
    std::list<const Connection*>::iterator idle;  // idle_.end() when busy
  };
  std::unordered_map<const Connection*, Entry> entries_;
  std::list<const Connection*> idle_;  // the longest idle in front
  std::function<void()> when_empty_;
  prometheus::Gauge& gauge_;
};

}  // namespace causeway::http
