#include "homeserver/http/request_bodies.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include "homeserver/http/connection.hpp"

namespace causeway::http {

RequestBodies::RequestBodies(std::size_t max_bytes, Metrics& metrics)
    : max_bytes_(max_bytes),
      gauge_(metrics.gauge("http_body_bytes", "Memory held by the bodies of requests.")),
      cut_off_(metrics.counter("http_slow_senders_total",
                               "Clients cut off because they were slow to send a body while others needed the room.")) {
}

void RequestBodies::changed() {
  gauge_.Set(static_cast<double>(bytes_));
}

RequestBodies::Body::Body(RequestBodies& all, Connection& connection)
    : all_(all), connection_(connection), at_(all.arriving_.insert(all.arriving_.end(), this)) {}

RequestBodies::Body::~Body() {
  complete();
  all_.bytes_ -= bytes_;
  all_.changed();
}

void RequestBodies::Body::complete() {
  if (std::exchange(arriving_, false)) all_.arriving_.erase(at_);
}

bool RequestBodies::Body::hold(std::size_t bytes) {
  all_.arriving_.splice(all_.arriving_.end(), all_.arriving_, at_);
  if (bytes > bytes_) {
    all_.bytes_ += bytes - bytes_;
    bytes_ = bytes;
    all_.changed();
  }
  return all_.make_room(*this);
}

// The memory comes back when the read that is broken off ends.
bool RequestBodies::make_room(const Body& for_body) {
  auto excess = static_cast<std::ptrdiff_t>(bytes_) - static_cast<std::ptrdiff_t>(max_bytes_);
  for (Body* slowest : arriving_) {
    if (excess <= 0) return true;
    if (slowest == &for_body) return false;
    excess -= static_cast<std::ptrdiff_t>(slowest->bytes_);
    if (slowest->connection_.close()) cut_off_.Increment();
  }
  return excess <= 0;
}

}  // namespace causeway::http
