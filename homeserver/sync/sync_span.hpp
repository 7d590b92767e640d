// What one reply tells of: of whose device, what it wants to know, and the span of the stream.
#pragma once

#include <optional>

#include "homeserver/sync/filter.hpp"
#include "homeserver/sync/sync_token.hpp"
#include "homeserver/sync/user_index.hpp"

namespace causeway {

// What changed in (since, until]. All but the end is fixed before anything is read.
struct SyncSpan {
  UserIndex::UserPtr user;
  DeviceNid device{};
  FilterPtr filter;
  bool full_state = false;   // all of the state of rooms, not what changed
  bool state_after = false;  // the state is that at the end of the timeline, not at its start

  std::optional<SyncToken> since;  // none: the client knows nothing
  // The client knows things of a life of the database that a restored backup has ended. It is told all that it may have
  // wrong, and that its timelines have a gap; but no event twice.
  bool since_was_lost = false;
  SyncToken until;
  bool in_memory = false;  // all live events of the span are

  bool initial() const { return !since; }
  StreamPosition since_position() const { return since ? since->position : 0; }
  // Of what has values rather than history.
  StreamPosition values_since() const { return since_was_lost ? 0 : since_position(); }
  // Also rooms without news.
  bool every_room() const { return initial() || full_state || since_was_lost; }
  // False: the client knows nothing of the typing of this epoch.
  bool typing_is_known() const { return since && since->epoch == until.epoch; }
  bool lazy_members() const { return filter->room_state.lazy_load_members; }
};

}  // namespace causeway
