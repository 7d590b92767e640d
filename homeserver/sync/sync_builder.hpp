// One reply to /sync: reads what changed, room by room, and writes it down.
//
// The steps run in the order of `build`; each reads for all rooms what the next needs. The .cpp files go by step:
// sync_builder (rooms and the order of things), sync_timeline, sync_state, sync_members (lazy loading and summaries),
// sync_invites, sync_writer (JSON).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "homeserver/runtime/time_slice.hpp"
#include "homeserver/sync/filter.hpp"
#include "homeserver/sync/named_rooms.hpp"
#include "homeserver/sync/reply_budget.hpp"
#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sent_members.hpp"
#include "homeserver/sync/state_versions.hpp"
#include "homeserver/sync/sync_service.hpp"
#include "homeserver/sync/user_index.hpp"
#include "schema/db/tables/account_data.hpp"

namespace causeway {

// What all requests share.
struct SyncMemory {
  StateVersions& versions;
  SentMembers& sent_members;
  NamedRooms& named_rooms;
  const ReplySizes& sizes;
};

class SyncBuilder {
 public:
  // `since_was_lost`: the client knows things of a life of the database that a restored backup has ended. It is told
  // all that it may have wrong, and that its timelines have a gap; but no event twice.
  SyncBuilder(const SyncService::Services& services, SyncMemory memory, const SyncRequest& request, FilterPtr filter,
              UserIndex::UserPtr user, std::optional<SyncToken> since, bool since_was_lost);

  // The reply's JSON text. M_TOO_LARGE where it takes too much memory (reply_budget.hpp).
  Task<Result<std::string>> build();

  // After build: there is nothing in the reply but what every reply has.
  bool empty() const { return empty_; }
  // After build: all that is told is up to here.
  const SyncToken& until() const { return until_; }

 private:
  // sync_builder.cpp
  Task<> choose();
  Task<> load();
  Task<> fix_now();
  Task<> read_account_data();
  Task<> choose_rooms();
  Task<> add_forgotten_rooms();
  std::optional<RoomPart> candidate(const RoomMembership& membership) const;
  bool may_have_news(const RoomMembership& membership) const;
  Task<> look_up_rooms();
  Task<> place_join(RoomPart& part);
  Task<> place_leave(RoomPart& part);
  bool forgot_what_was_told(const RoomPart& part) const;
  Task<std::int32_t> version_at(RoomInfoPtr room, StreamPosition position);
  Task<bool> was_joined(RoomInfoPtr room, StateRef at);
  Task<> find_known_members(RoomPart& part, bool joined);
  bool left_meanwhile(const RoomPart& part) const;
  Task<> read_receipts();
  void choose_typing();
  Task<> read_account_data_of_fresh_rooms();
  void add_room_account_data();

  // sync_timeline.cpp
  struct Reading;
  Task<> read_timelines();
  Task<> read_pages(std::vector<Reading> open, std::size_t limit);
  void finish_timeline(Reading& reading, std::size_t limit) const;
  bool unfiltered() const { return filter_->room_timeline.accepts_everything() && user_->ignored.empty(); }
  bool wanted_in_timeline(const StoredEvent& event) const;
  Task<> keep_visible();
  bool joined_all_the_time(const RoomPart& part) const;
  bool visibility_holds(const RoomPart& part) const;
  Task<std::unordered_set<RoomNid>> open_to_members();

  // sync_state.cpp
  Task<> keep_what_replays();
  Task<> read_whole_states();
  Task<> choose_state(RoomPart& part);
  Task<> choose_whole_state(RoomPart& part);
  Task<> choose_changed_state(RoomPart& part);
  Task<> correct_towards_end(RoomPart& part);
  Task<> sift_whole_state();
  Task<> load_state();
  void append_last_own_event(RoomPart& part) const;
  bool told_by_timeline(const RoomPart& part, std::int32_t from_version) const;

  // sync_members.cpp
  Task<> summarise();
  void summarise(RoomPart& part, const RoomReader::Members& members, bool is_named) const;
  bool members_changed(const RoomPart& part) const;
  bool name_changed(const RoomPart& part) const;
  Task<std::vector<bool>> are_named(std::vector<RoomPart*> parts);
  bool tells_name(const RoomPart& part) const;
  Task<> add_lazy_members(RoomPart& part);
  std::set<std::string> lazily_wanted(const RoomPart& part) const;
  Task<> find_members(RoomPart& part, std::set<std::string> wanted);
  void remember_members(const RoomPart& part);
  bool lazy() const { return filter_->room_state.lazy_load_members; }

  // sync_invites.cpp
  Task<> read_stripped_state(RoomPart& part);

  // sync_writer.cpp
  Task<std::string> write();
  Task<> write_rooms(std::string& out);
  Task<> write_room(std::string& out, const RoomPart& part);
  Task<> write_timeline(std::string& out, const RoomPart& part);
  Task<> write_state(std::string& out, std::string_view key, const RoomPart& part);
  std::string state_event(const Event& event) const;
  void write_ephemeral(std::string& out, const RoomPart& part) const;
  bool worth_telling(const RoomPart& part) const;

  bool initial() const { return !since_; }
  StreamPosition since_position() const { return since_ ? since_->position : 0; }
  // Of what has values rather than history.
  StreamPosition values_since() const { return since_was_lost_ ? 0 : since_position(); }
  bool wants_state_after() const { return request_.use_state_after || request_.use_state_after_unstable; }

  const SyncService::Services& s_;
  SyncMemory memory_;
  const SyncRequest& request_;
  const FilterPtr filter_;
  const UserIndex::UserPtr user_;
  const std::optional<SyncToken> since_;
  const bool since_was_lost_;
  const bool every_room_;       // initial, full_state or lost: also rooms without news
  const bool typing_is_known_;  // false: the client knows nothing of the typing of this epoch

  ReplyBudget budget_;
  TimeSlice slice_;

  SyncToken until_;
  bool ring_covers_ = false;  // all live events since are in memory
  std::shared_ptr<const std::vector<RoomMembership>> memberships_;
  std::vector<std::string> global_account_data_;  // as JSON events
  std::unordered_map<RoomNid, std::vector<db::AccountData>> room_account_data_;
  std::unordered_set<RoomNid> typing_rooms_;
  std::vector<RoomPart> parts_;
  bool invite_permission_changed_ = false;
  bool empty_ = true;
};

}  // namespace causeway
