// How much is worked on at a time. Beyond that requests wait, shortly and in turns; beyond that they are refused, so
// that those that are admitted take no longer than on a quiet day.
//
// Each class of work has places. Who asks (a user, a server, an address) may hold a quarter of them (of those for
// logins all); whoever has more to ask waits behind himself alone, because places go round among those who ask. A wait
// has an end, and a near one while the class has been full for a while: then waiting longer would help nobody, it would
// only make every answer late.
//
// Before a request gets here it has waited for the reactor to read it, which bounds of what is worked on don't shorten
// where the reactor itself is what is scarce. So that queue is measured (reactor_lag.hpp), and while it is long a part
// of the requests is refused (shedding.hpp), whatever their class, but those that need no place. Who asks is what
// decides: that is known after authentication, or before it from the connection's last request
// (Pipeline::shed_at_once). Other servers are asked as addresses first, since checking their signatures is what costs.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string_view>

#include "homeserver/http/place.hpp"
#include "homeserver/http/shedding.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/runtime/reactor_lag.hpp"
#include "schema/matrix/error.hpp"

namespace causeway::http {

struct AdmissionSettings {
  // By class; unbounded needs none.
  std::array<std::size_t, work_classes> places{};
  // How long a cheap read or a write waits for its place; ten times as long what takes longer itself.
  std::chrono::milliseconds patience{500};
  std::chrono::milliseconds short_patience{50};  // the same once a class has been full for that long
  SheddingSettings shedding;
  std::size_t& operator[](WorkClass work) { return places[static_cast<std::size_t>(work)]; }
};

// What keeps the machine busy, and little more.
AdmissionSettings usual_admission(std::size_t processors, std::size_t database_connections);

// Belongs to the reactor thread.
class Admission : public std::enable_shared_from_this<Admission> {
 public:
  Admission(asio::any_io_executor executor, const AdmissionSettings& settings, Metrics& metrics);
  ~Admission();

  // A request was read; whose and what it is will be known later.
  void request_begins(ReactorLag::TimePoint now);
  // The reactor is late, and has been for a while.
  bool overloaded() const { return shedding_.overloaded(); }
  // Stands for a string. Nobody outside can tell what for, nor make two the same.
  std::uint64_t key_of(std::string_view who) const;
  // Why the request is refused because the reactor is late, if it is. Asked before a place is.
  std::optional<MatrixError> shed(WorkClass work, std::uint64_t key);
  // Nothing if the request has to wait.
  std::optional<Place> try_enter(WorkClass work, std::uint64_t key);
  // 429 M_LIMIT_EXCEEDED if the requester has too much under way, 503 if the class is full; both say when to come back.
  Task<Result<Place>> wait(WorkClass work, std::uint64_t key);
  // A request got a place, but its client had gone while it waited.
  void count_gone(WorkClass work);
  // The server is being destroyed; what is still there of requests afterwards gives nothing back.
  void close();

 private:
  friend class Place;
  struct Class;
  struct Waiter;
  Class& of(WorkClass work) { return *classes_[static_cast<std::size_t>(work)]; }
  bool try_occupy(Class& c, std::uint64_t key);
  void lag_measured(ReactorLag::TimePoint begun, ReactorLag::TimePoint ended, ReactorLag::Duration lag);
  void leave(WorkClass work, std::uint64_t key);
  Task<> enter_again(WorkClass work, std::uint64_t key);
  MatrixError refusal(bool own_share);

  asio::any_io_executor executor_;
  std::array<unsigned char, 16> hash_key_;  // random: nobody can choose to share a place with somebody else
  std::array<std::unique_ptr<Class>, work_classes> classes_;
  Shedding shedding_;
  RecentAskers recent_;
  std::minstd_rand returns_;  // spreads when those who were refused come back
  prometheus::Gauge& overloaded_gauge_;
  std::unique_ptr<ReactorLag> lag_;  // nullptr when closed
  bool closed_ = false;
};

}  // namespace causeway::http
