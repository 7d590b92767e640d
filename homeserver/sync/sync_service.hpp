// Answers "what changed in (since, now]" for one user and device.
//
// spec: client-server-api#syncing, client-server-api#get_matrixclientv3sync
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/sync/event_serializer.hpp"
#include "homeserver/sync/notifier.hpp"
#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway {

// Opaque to clients: version, stream position, epoch, ephemeral sequence.
struct SyncToken {
  StreamPosition position = 0;
  std::uint32_t epoch = 0;
  std::uint64_t ephemeral = 0;
  std::string str() const;
  static Result<SyncToken> parse(std::string_view text);  // M_INVALID_PARAM
};

// A place in a room's timeline for /messages: an OrderKey as text. A sync token converts to one.
std::string pagination_token(OrderKey key);
Result<OrderKey> parse_pagination_token(std::string_view text);

struct SyncRequest {
  http::Requester requester;
  // Whose session this is, asked again before the first wait and after each: the error that ends the request when the
  // session has ended. None: it does not end.
  std::function<Task<Result<>>()> check_session;
  std::optional<std::string> since;
  std::chrono::milliseconds timeout{0};
  std::string filter;  // "", an ID, or inline JSON
  bool full_state = false;
  bool use_state_after = false;
  bool use_state_after_unstable = false;   // org.matrix.msc4222.use_state_after
  http::Disconnect* disconnect = nullptr;  // ends the wait; outlives the request
  http::Place* place = nullptr;            // others have it during the wait; outlives the request
};

class SyncService {
 public:
  struct Services {
    db::Database& database;
    StreamHub& hub;
    RoomReader& reader;
    EventStore& events;
    StateStore& states;
    Interner& interner;
    EventSerializer& serializer;
    AccountService& accounts;
    ReceiptService& receipts;
    TypingService& typing;
    Notifier& notifier;
    const Clock& clock;
    Metrics& metrics;
    std::size_t max_reply_bytes = 256 << 20;  // that one reply may take in memory while it is built
  };
  explicit SyncService(Services services);
  ~SyncService();

  // The reply's JSON text. Waits up to the timeout when there is nothing to say. M_TOO_LARGE where it would take more
  // than max_reply_bytes.
  Task<Result<std::string>> sync(SyncRequest request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
