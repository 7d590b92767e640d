// Write units as the rows of a batch, and as facts once they are committed.
#pragma once

#include <span>
#include <vector>

#include "homeserver/stream/committed.hpp"
#include "homeserver/stream/write_unit.hpp"
#include "schema/db/write_batch.hpp"

namespace causeway {

// With those that are made with them.
db::WriteBatch encode(std::span<const WriteUnitPtr> units);

// What these units wrote, committed after `base` in this order; each followed by what was made with it. Live events get
// their order. The units keep their events and nothing else.
std::vector<CommittedPtr> into_facts(std::span<const WriteUnitPtr> units, StreamPosition base);

// What a unit weighs in a batch, roughly.
std::size_t weight_bytes(const WriteUnit& unit);

}  // namespace causeway
