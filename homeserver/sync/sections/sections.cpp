#include "homeserver/sync/sections/sections.hpp"

#include <algorithm>

#include "homeserver/sync/sections/account_data.hpp"
#include "homeserver/sync/sections/device_key_counts.hpp"
#include "homeserver/sync/sections/receipts.hpp"
#include "homeserver/sync/sections/summary.hpp"
#include "homeserver/sync/sections/typing.hpp"

namespace causeway {

Section::~Section() = default;
Task<> Section::read(const SyncSpan&) {
  co_return;
}
bool Section::concerns(RoomNid) const {
  return false;
}
Task<> Section::read_rooms(const SyncSpan&, const std::vector<RoomPart>&) {
  co_return;
}
bool Section::empty() const {
  return true;
}
bool Section::empty_in(RoomNid) const {
  return true;
}
void Section::write(std::string&) const {}
void Section::write_room(V3Room&, RoomNid) const {}

template <class Kind, class... Parameters>
Kind* Sections::add(Parameters&... parameters) {
  auto section = std::make_unique<Kind>(parameters...);
  Kind* const added = section.get();
  all_.push_back(std::move(section));
  return added;
}

Sections::Sections(const SyncServices& s, const SyncMemory& memory, ReplyCost& cost) {
  account_data_ = add<AccountDataSection>(s.database, s.accounts, cost.budget);
  summary_ = add<SummarySection>(s.reader, memory.named_rooms, cost.slice);
  add<TypingSection>(s.typing);
  add<ReceiptsSection>(s.receipts, cost.budget);
  add<DeviceKeyCountsSection>();
}

Sections::~Sections() = default;

Task<> Sections::read(const SyncSpan& span) {
  for (const auto& section : all_)
    co_await section->read(span);
}

bool Sections::concern(RoomNid room) const {
  return std::any_of(all_.begin(), all_.end(), [room](const auto& section) { return section->concerns(room); });
}

Task<> Sections::read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) {
  for (const auto& section : all_)
    co_await section->read_rooms(span, rooms);
}

bool Sections::empty() const {
  return std::all_of(all_.begin(), all_.end(), [](const auto& section) { return section->empty(); });
}

bool Sections::empty_in(RoomNid room) const {
  return std::all_of(all_.begin(), all_.end(), [room](const auto& section) { return section->empty_in(room); });
}

void Sections::write(std::string& out) const {
  for (const auto& section : all_)
    section->write(out);
}

V3Room Sections::write_room(RoomNid nid) const {
  V3Room room;
  for (const auto& section : all_)
    section->write_room(room, nid);
  return room;
}

}  // namespace causeway
