#include "homeserver/stream/stream_hub.hpp"

#include "schema/matrix/assert.hpp"

namespace causeway {

void StreamHub::start_at(StreamPosition position) {
  position_ = position;
  recent_.start_at(position);
}

void StreamHub::add_listener(Stage stage, Listener listener) {
  listeners_.at(static_cast<std::size_t>(stage)).push_back(std::move(listener));
}

void StreamHub::feed(EventStore& events) {
  add_listener(Stage::caches, [&events](const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits) {
      for (const CommittedEvent& event : facts->events)
        events.keep(event.stored);
      for (const CommittedRedaction& redaction : facts->redactions)
        if (redaction.applied) events.note_redaction(redaction.target, redaction.redaction);
      for (const ReplacedEvent& replaced : facts->replaced)
        events.keep(replaced.stored);
    }
  });
}

void StreamHub::committed(const std::vector<CommittedPtr>& commits) {
  for (const CommittedPtr& facts : commits) {
    CAUSEWAY_ASSERT(facts->after >= position_);
    for (const CommittedEvent& event : facts->events)
      if (event.placement == Placement::live) recent_.append(event.stored);
    for (const ReplacedEvent& replaced : facts->replaced)
      recent_.replace(replaced.stored);
    position_ = facts->until;
  }
  for (const auto& stage : listeners_)
    for (const Listener& listener : stage)
      listener(commits);
}

}  // namespace causeway
