// Write units as the rows of a batch, and the positions they get.
#pragma once

#include <span>

#include "homeserver/stream/write_unit.hpp"
#include "schema/db/tables/writer.hpp"

namespace causeway {

// With those that are made with them.
db::WriteBatch encode(std::span<const WriteUnitPtr> units);

// Puts each unit that another is made with behind it, as they were committed.
void add_those_made(std::vector<WriteUnitPtr>& units);

// Fills in what these units were given when they were committed after `base`, in this order. Returns the last position.
StreamPosition assign_positions(std::span<const WriteUnitPtr> units, StreamPosition base);

// What a unit weighs in a batch, roughly.
std::size_t weight_bytes(const WriteUnit& unit);

}  // namespace causeway
