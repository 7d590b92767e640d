#include "homeserver/runtime/lane.hpp"

namespace causeway {

Task<Result<Lane::Turn>> Lane::enter() {
  if (gate_.full() && gate_.waiting() >= max_waiting_)
    co_return make_error(ErrorCode::limit_exceeded, "Too many requests are waiting for the same room or user.");
  co_return co_await gate_.enter();
}

}  // namespace causeway
