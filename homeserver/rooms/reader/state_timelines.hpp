// History visibility and one user's membership before any event of a room, in few round trips: the main line's timeline
// of a key answers for a whole page, and only events on other lines are looked up one state at a time.
#pragma once

#include <boost/json/object.hpp>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/loading_cache.hpp"
#include "homeserver/stream/committed.hpp"

namespace causeway {

enum class HistoryVisibility { world_readable, shared, invited, joined };

// Absent or not understood: shared.
HistoryVisibility parse_history_visibility(const boost::json::object& content);

class StateTimelines {
 public:
  StateTimelines(db::Database& database, Interner& interner, EventStore& events, StateStore& states);

  using Events = std::vector<StoredEventPtr>;  // of one room, no outliers

  Task<std::vector<HistoryVisibility>> visibility_before(RoomNid room, Events events);

  // `now` is what the user is today.
  Task<std::vector<db::Membership>> membership_before(UserId user, RoomMembership now, Events events);

  // The event that ended the last time the user, who is not joined now, was; nullptr: never was.
  Task<StoredEventPtr> end_of_stay(UserId user, RoomMembership now);

  Task<HistoryVisibility> visibility_at(RoomNid room, StateRef at);  // on the main line

  void committed(const Committed& facts);

 private:
  // A key of the main line: `value` for from <= version < to. Oldest first.
  template <class Value>
  struct Span {
    std::int32_t from = 0;
    std::int32_t to = 0;
    EventNid event{};
    Value value{};
  };
  template <class Value>
  using Timeline = std::vector<Span<Value>>;
  template <class Value>
  static Value value_at(const Timeline<Value>& timeline, std::int32_t version, Value otherwise);

  // `read` makes the value of an event; `absent` is that of no event.
  template <class Value, class Read>
  Task<Timeline<Value>> load(RoomNid room, StateKeyNid key, std::int32_t first, std::int32_t last, Value absent,
                             Read read);
  Task<std::shared_ptr<Timeline<HistoryVisibility>>> load_visibility(RoomNid room);

  // Which event holds the key before each of the events; nullptr: none.
  Task<Events> holders_before(RoomNid room, Events events, StateKeyNid key);
  Task<StateKeyNid> visibility_key();

  db::Database& database_;
  Interner& interner_;
  EventStore& events_;
  StateStore& states_;
  StateKeyNid visibility_key_{};  // 0 until first needed
  LoadingCache<RoomNid, Timeline<HistoryVisibility>> visibility_;
};

}  // namespace causeway
