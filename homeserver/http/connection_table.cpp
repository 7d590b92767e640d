#include "homeserver/http/connection_table.hpp"

#include <prometheus/gauge.h>

#include "homeserver/http/connection.hpp"

namespace causeway::http {

ConnectionTable::ConnectionTable(Metrics& metrics)
    : gauge_(metrics.gauge("http_connections", "Open connections of clients and peers.")) {}
ConnectionTable::~ConnectionTable() = default;

void ConnectionTable::add(const std::shared_ptr<Connection>& connection) {
  entries_.emplace(connection.get(), Entry{connection, idle_.end()});
  gauge_.Increment();
}

void ConnectionTable::remove(const Connection* connection) {
  set_busy(connection);
  if (entries_.erase(connection) == 0) return;
  gauge_.Decrement();
  if (entries_.empty() && when_empty_) when_empty_();
}

void ConnectionTable::set_idle(const Connection* connection) {
  const auto found = entries_.find(connection);
  if (found == entries_.end() || found->second.idle != idle_.end()) return;
  found->second.idle = idle_.insert(idle_.end(), connection);
}

void ConnectionTable::set_busy(const Connection* connection) {
  const auto found = entries_.find(connection);
  if (found == entries_.end() || found->second.idle == idle_.end()) return;
  idle_.erase(found->second.idle);
  found->second.idle = idle_.end();
}

bool ConnectionTable::close_oldest_idle() {
  if (idle_.empty()) return false;
  const Connection* oldest = idle_.front();
  const auto connection = entries_.at(oldest).connection.lock();
  remove(oldest);
  if (connection) connection->close();
  return true;
}

void ConnectionTable::close_all_idle() {
  while (close_oldest_idle()) {
  }
}

void ConnectionTable::close_all() {
  while (!entries_.empty()) {
    const auto connection = entries_.begin()->second.connection.lock();
    remove(entries_.begin()->first);
    if (connection) connection->close();
  }
}

void ConnectionTable::when_empty(std::function<void()> callback) {
  when_empty_ = std::move(callback);
}

}  // namespace causeway::http
