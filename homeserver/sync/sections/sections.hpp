// All sections of one reply.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "homeserver/sync/sections/section.hpp"
#include "homeserver/sync/sync_services.hpp"

namespace causeway {

class AccountDataSection;
class SummarySection;

// Each call is that of Section, for all of them in the order of the list.
class Sections {
 public:
  Sections(const SyncServices& services, const SyncMemory& memory, ReplyCost& cost);
  ~Sections();

  Task<> read(const SyncSpan& span);
  bool concern(RoomNid room) const;
  Task<> read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms);
  bool empty() const;
  bool empty_in(RoomNid room) const;
  void write(std::string& out) const;
  V3Room write_room(RoomNid room) const;

  // What else of the reply depends on.
  const AccountDataSection& account_data() const { return *account_data_; }
  const SummarySection& summary() const { return *summary_; }

 private:
  template <class Kind, class... Parameters>
  Kind* add(Parameters&... parameters);

  std::vector<std::unique_ptr<Section>> all_;
  const AccountDataSection* account_data_;
  const SummarySection* summary_;
};

}  // namespace causeway
