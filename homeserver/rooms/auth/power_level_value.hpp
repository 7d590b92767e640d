// Reading a power level, however its room version lets it be written. Nothing else reads one.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>

#include "schema/events/room_version.hpp"

namespace causeway {

// Nothing where it is none. What 64 bits can't hold is as good as the greatest or the least that they can.
// spec: rooms/v1#deprecated-event-content-schemas, rooms/v6#deprecated-event-content-schemas
std::optional<std::int64_t> read_power_level(PowerLevelValues allowed, const boost::json::value& value);

// A member of m.room.power_levels or of one of its maps; nothing also where it is absent.
std::optional<std::int64_t> find_power_level(PowerLevelValues allowed, const boost::json::object& levels,
                                             std::string_view key);

}  // namespace causeway
