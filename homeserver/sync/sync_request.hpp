// What is asked of /sync, and who waits for the answer.
//
// spec: client-server-api#get_matrixclientv3sync
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "homeserver/sync/event_serializer.hpp"

namespace causeway {

// Whoever waits for news, however they are connected.
class SyncCaller {
 public:
  virtual ~SyncCaller() = default;

  // Calls `callback` once, on the reactor, when they go; at once if they have gone already.
  virtual void when_gone(std::function<void()> callback) = 0;
  virtual bool gone() const = 0;
  // Between the two nothing is done for them, and others may be worked on in their place.
  virtual void begin_wait() = 0;
  virtual Task<> end_wait() = 0;
};

struct SyncRequest {
  EventSerializer::Viewer viewer;  // the device that asks
  // Whose session this is, asked again before the first wait and after each: the error that ends the request when the
  // session has ended. None: it does not end.
  std::function<Task<Result<>>()> check_session;
  std::optional<std::string> since;
  std::chrono::milliseconds timeout{0};
  std::string filter;  // "", an ID, or inline JSON
  bool full_state = false;
  bool use_state_after = false;
  bool use_state_after_unstable = false;  // org.matrix.msc4222.use_state_after
  SyncCaller* caller = nullptr;           // none: there to the end; outlives the request
};

}  // namespace causeway
