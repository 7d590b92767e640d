// Where committed facts go, in the one fixed order: recent events, position, then listeners stage by stage.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/events/recent_events.hpp"
#include "homeserver/stream/event_writer.hpp"

namespace causeway {

// Who hears of a commit before whom.
enum class Stage {
  caches,   // what is known of what is stored
  derived,  // what follows from it, and is asked for by those after
  wake,     // those who wait for it
  deliver,  // those who carry it out of this process
};

// Listeners of a stage are called in the order they were added, on the reactor, for every committed batch; they must
// not suspend.
class StreamHub final : public CommitSink {
 public:
  using Listener = std::function<void(const std::vector<CommittedPtr>& commits)>;

  void start_at(StreamPosition position);
  StreamPosition position() const { return position_; }  // all up to it is committed and in `recent()`
  const RecentEvents& recent() const { return recent_; }

  void add_listener(Stage stage, Listener listener);
  // Keeps the store up with what is committed, redactions too.
  void feed(EventStore& events);
  void committed(const std::vector<CommittedPtr>& commits) override;

 private:
  StreamPosition position_ = 0;
  RecentEvents recent_;
  std::array<std::vector<Listener>, 4> listeners_;  // by stage
};

}  // namespace causeway
