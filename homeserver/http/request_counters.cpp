#include "homeserver/http/request_counters.hpp"
#include "schema/log.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace causeway::http {

std::string_view name(Verb verb) {
  switch (verb) {
    case Verb::get:
      return "GET";
    case Verb::post:
      return "POST";
    case Verb::put:
      return "PUT";
    case Verb::delete_:
      return "DELETE";
    case Verb::options:
      return "OPTIONS";
    case Verb::head:
      return "HEAD";
    case Verb::other:
      break;
  }
  return "OTHER";
}

// Of one endpoint.
struct RequestCounters::Series {
  Labels endpoint;
  std::map<unsigned, prometheus::Counter*> by_status;  // made at first use
  prometheus::Histogram* seconds = nullptr;
};

RequestCounters::RequestCounters(Metrics& metrics)
    : metrics_(metrics), handlers_(metrics.gauge("http_handlers_running", "Request handlers that have not ended.")) {}
RequestCounters::~RequestCounters() = default;

void RequestCounters::start_at_zero(const Router& router) {
  for (const Route* route : router.routes())
    answered(series(route), 200);
}

RequestCounters::Series& RequestCounters::series(const Route* route) {
  auto& mine = series_[route];
  if (!mine.seconds) {
    mine.endpoint = {{"method", route ? std::string(name(route->verb)) : "none"},
                     {"operation", route ? std::string(route->operation_id) : "none"},
                     {"path", route ? route->path : "none"}};
    mine.seconds = &metrics_.histogram("http_request_seconds", "Time from a request's header to its reply.",
                                       {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30, 60},
                                       {{"operation", mine.endpoint.at("operation")}});
  }
  return mine;
}

prometheus::Counter& RequestCounters::answered(Series& series, unsigned status) {
  auto*& counter = series.by_status[status];
  if (!counter) {
    Labels labels = series.endpoint;
    labels.emplace("status", std::to_string(status));
    counter = &metrics_.counter("http_requests_total", "Requests answered.", labels);
  }
  return *counter;
}

void RequestCounters::count_request(const Route* route, unsigned status, std::chrono::duration<double> took) {
  auto& mine = series(route);
  answered(mine, status).Increment();
  mine.seconds->Observe(took.count());
}

void RequestCounters::count_error(ErrorCode code) {
  auto*& counter = errors_[code];
  if (!counter)
    counter = &metrics_.counter("http_errors_total", "Requests answered with an error.",
                                {{"errcode", std::string(info(code).name)}});
  counter->Increment();
}

void RequestCounters::count_rate_limited(std::string_view limit) {
  metrics_.counter("http_rate_limited_total", "Requests refused by a rate limit.", {{"limit", std::string(limit)}})
      .Increment();
}

void RequestCounters::handler_started() {
  handlers_.Increment();
}
void RequestCounters::handler_ended() {
  handlers_.Decrement();
}

void log_request(const Request& request, const Response& response, std::chrono::duration<double> took) {
  constexpr std::size_t longest_path = 512;
  std::string path;
  for (const char c : std::string_view(request.path).substr(0, longest_path))
    path += c > ' ' && c < 0x7f ? c : '?';  // a raw byte of a path must not reach a terminal
  const std::string who = request.requester ? request.requester->user.str()
                          : request.origin  ? request.origin->str()
                                            : "-";
  log::info("{} {} {} {} {} {:.1f}ms {} {}", request.id, name(request.verb), path, response.status,
            response.body.size(), took.count() * 1000, request.remote_address, who);
}

}  // namespace causeway::http
