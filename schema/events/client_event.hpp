// Events as clients see them, made by splicing stored bytes instead of parsing and rebuilding.
//
// spec: client-server-api#room-event-format
#pragma once

#include <string>
#include <string_view>

#include "schema/events/event.hpp"

namespace causeway {

enum class ClientEventFormat {
  sync,      // without room_id, as in /sync
  full,      // with room_id, everywhere else
  stripped,  // sender, type, state_key, content alone: invite_state and knock_state
};

// Appends {"content":...,"event_id":...,"origin_server_ts":...,...,"unsigned":...}. `unsigned_json` is a JSON object as
// text, or empty for none. Redactions carry `redacts` both at the top and in content, whatever their version
// (spec: rooms/v11#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property).
void append_client_event(std::string& out, const Event& event, ClientEventFormat format,
                         std::string_view unsigned_json);

}  // namespace causeway
