#include "homeserver/http/connection_table.hpp"

#include <prometheus/gauge.h>

#include "homeserver/http/connection.hpp"

namespace causeway::http {

ConnectionTable::ConnectionTable(Metrics& metrics)
    : gauge_(metrics.gauge("http_connections", "Open connections of clients and peers.")) {}
ConnectionTable::~ConnectionTable() = default;

void ConnectionTable::add(Connection& connection) {
  busy_.push_back(connection);
  ++size_;
  gauge_.Increment();
}

void ConnectionTable::remove(Connection& connection) {
  if (!connection.is_linked()) return;
  connection.unlink();
  gauge_.Decrement();
  if (--size_ == 0 && when_empty_) when_empty_();
}

void ConnectionTable::move_to(List& list, Connection& connection) {
  if (!connection.is_linked()) return;
  connection.unlink();
  list.push_back(connection);
}

void ConnectionTable::close_first_of(List& list) {
  auto& connection = static_cast<Connection&>(list.front());
  const auto kept = connection.weak_from_this().lock();
  remove(connection);
  if (kept) kept->close();
}

bool ConnectionTable::close_oldest_idle() {
  if (idle_.empty()) return false;
  close_first_of(idle_);
  return true;
}

void ConnectionTable::close_all_idle() {
  while (!idle_.empty())
    close_first_of(idle_);
}

void ConnectionTable::close_all() {
  close_all_idle();
  while (!busy_.empty())
    close_first_of(busy_);
}

void ConnectionTable::when_empty(std::function<void()> callback) {
  when_empty_ = std::move(callback);
}

}  // namespace causeway::http
