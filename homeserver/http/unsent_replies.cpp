#include "homeserver/http/unsent_replies.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include "homeserver/http/connection.hpp"

namespace causeway::http {

UnsentReplies::UnsentReplies(std::size_t max_bytes, Metrics& metrics)
    : max_bytes_(max_bytes),
      gauge_(metrics.gauge("http_unsent_bytes", "Memory held by replies that clients have not taken yet.")),
      cut_off_(metrics.counter("http_slow_readers_total", "Clients cut off because they were slow to take a reply.")) {}

UnsentReplies::Reply::Reply(UnsentReplies& all, Connection& connection, std::size_t bytes)
    : all_(all), connection_(connection), bytes_(bytes), at_(all.replies_.insert(all.replies_.end(), this)) {
  all_.bytes_ += bytes_;
  all_.gauge_.Set(static_cast<double>(all_.bytes_));
  // The memory comes back when the write that is broken off ends.
  auto excess = static_cast<std::ptrdiff_t>(all_.bytes_) - static_cast<std::ptrdiff_t>(all_.max_bytes_);
  for (auto slowest = all_.replies_.begin(); excess > 0 && slowest != at_; ++slowest) {
    excess -= static_cast<std::ptrdiff_t>((*slowest)->bytes_);
    if ((*slowest)->connection_.close()) all_.cut_off_.Increment();
  }
}

UnsentReplies::Reply::~Reply() {
  all_.replies_.erase(at_);
  all_.bytes_ -= bytes_;
  all_.gauge_.Set(static_cast<double>(all_.bytes_));
}

void UnsentReplies::Reply::progress() {
  all_.replies_.splice(all_.replies_.end(), all_.replies_, at_);
}

}  // namespace causeway::http
