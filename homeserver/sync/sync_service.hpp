// Answers "what changed in (since, now]" for one user and device.
//
// spec: client-server-api#syncing, client-server-api#get_matrixclientv3sync
#pragma once

#include <memory>
#include <string>

#include "homeserver/sync/sync_request.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_token.hpp"

namespace causeway {

class SyncService {
 public:
  explicit SyncService(SyncServices services);
  ~SyncService();

  // The reply's JSON text (v3_writer.hpp). Waits up to the timeout when there is nothing to say. M_TOO_LARGE where it
  // would take more than max_reply_bytes.
  Task<Result<std::string>> sync(SyncRequest request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
