// The metrics of requests, and the log line that each of them gets.
#pragma once

#include <chrono>
#include <unordered_map>

#include "homeserver/http/endpoint.hpp"
#include "homeserver/runtime/metrics.hpp"

namespace causeway::http {

std::string_view name(Verb verb);

class RequestCounters {
 public:
  explicit RequestCounters(Metrics& metrics);
  ~RequestCounters();

  // Every endpoint appears from the start, not at its first request: its rate has a beginning, and tests learn what
  // there is to test.
  void start_at_zero(const Router& router);

  // `route` may be nullptr: no endpoint was found.
  void count_request(const Route* route, unsigned status, std::chrono::duration<double> took);
  void count_error(ErrorCode code);
  void count_rate_limited(std::string_view limit);
  void handler_started();
  void handler_ended();

 private:
  struct Series;
  Series& series(const Route* route);
  prometheus::Counter& answered(Series& series, unsigned status);

  Metrics& metrics_;
  std::unordered_map<const Route*, Series> series_;
  std::unordered_map<ErrorCode, prometheus::Counter*> errors_;  // made at first use
  prometheus::Gauge& handlers_;
};

// Never the query, a header or a body: they hold tokens and passwords.
void log_request(const Request& request, const Response& response, std::chrono::duration<double> took);

}  // namespace causeway::http
