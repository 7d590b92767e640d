// What statements ask of the flags of an event `e`. Literals, which become part of a statement's text, so that the
// planner knows the numbers; that they are those of EventFlags is checked here.
#pragma once

#include "schema/db/tables/enums.hpp"

namespace causeway::db {

#define EVENT_FLAGS_REFUSED 3
#define EVENT_FLAGS_LOCAL 8
#define EVENT_FLAGS_HIDDEN 35

static_assert(EventFlags{EVENT_FLAGS_REFUSED} == (EventFlags::rejected | EventFlags::soft_failed));
static_assert(EventFlags{EVENT_FLAGS_LOCAL} == EventFlags::local);
static_assert(EventFlags{EVENT_FLAGS_HIDDEN} ==
              (EventFlags::rejected | EventFlags::soft_failed | EventFlags::withheld));

#define EVENT_FLAGS_TEXT_OF(number) #number
#define EVENT_FLAGS_TEXT(name) EVENT_FLAGS_TEXT_OF(name)

// Clients are shown it.
#define EVENT_IS_SHOWN "(e.flags & " EVENT_FLAGS_TEXT(EVENT_FLAGS_HIDDEN) ") = 0"
// This server made it and owes it to the room's other servers.
#define EVENT_IS_OWED \
  "e.flags & " EVENT_FLAGS_TEXT(EVENT_FLAGS_LOCAL) " <> 0" \
  " and e.flags & " EVENT_FLAGS_TEXT(EVENT_FLAGS_REFUSED) " = 0"

}  // namespace causeway::db
