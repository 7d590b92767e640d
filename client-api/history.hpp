// Walking a room's timeline on behalf of a user: only what they may see, only what their filter accepts.
#pragma once

#include "client-api/room_requests.hpp"
#include "homeserver/sync/filter.hpp"

namespace causeway::client_api {

// A place between events: the gap just before the event with this key, whether or not there is one. A token is such a
// place.
using Gap = OrderKey;
inline Gap gap_before(const StoredEvent& event) {
  return *event.order;
}
inline Gap gap_after(const StoredEvent& event) {
  return {event.order->anchor, event.order->sub + 1};
}

struct HistoryRequest {
  Gap from;
  std::optional<Gap> to;
  Direction direction = Direction::backward;
  std::size_t limit = 10;
};

struct HistoryPage {
  std::vector<StoredEventPtr> events;  // the nearest first
  std::optional<Gap> next;             // none: there is nothing more that way
};

// Reads on until the page is full, history ends, or a bounded number of events has been looked at. Backwards, what is
// missing is fetched from other servers.
Task<HistoryPage> read_history(ClientApi& api, const ReadableRoom& room, http::Requester user, HistoryRequest request,
                               const RoomEventFilter& filter);

// The senders' member events in a state: what lazy loading adds to events. Each once.
// spec: client-server-api#lazy-loading-room-members
Task<std::vector<StoredEventPtr>> members_of_senders(ClientApi& api, RoomNid room, StateRef at,
                                                     std::vector<StoredEventPtr> events);

// The query's `filter`, an inline RoomEventFilter; everything when there is none.
Result<RoomEventFilter> filter_parameter(const http::Request& request);

}  // namespace causeway::client_api
