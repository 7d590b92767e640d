#include "homeserver/rooms/reader/timeline_reader.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "homeserver/accounts/account_service.hpp"
#include "schema/matrix/account_data.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_looked_at = 2000;  // events per request, seen or not
constexpr std::size_t min_batch = 20;
constexpr std::size_t max_gaps = 100;     // that a request knows of: the last of the room
constexpr std::size_t max_backfills = 3;  // per request

}  // namespace

// One page, while it is read.
class TimelineReader::Walk {
 public:
  Walk(const TimelineReader& reader, UserNid nid, UserId user, ReadableRoom room, TimelineRequest request)
      : reader_(reader),
        nid_(nid),
        user_(std::move(user)),
        room_(std::move(room)),
        request_(std::move(request)),
        at_(request_.from) {}

  Task<TimelinePage> read() {
    if (!backward() && at_ > room_.readable.until) co_return std::move(page_);
    co_await read_ignored_users();
    if (backward()) at_ = std::min(at_, gap_after_until());
    begin_ = at_;
    while (!full() && looked_at_ < max_looked_at && !ended_ && !stop_at_)
      co_await read_batch();
    if (!ended_) page_.next = at_;
    co_return std::move(page_);
  }

 private:
  Task<> read_ignored_users() {
    std::string type(ignored_user_list_type);
    const auto list = co_await reader_.accounts_.account_data(nid_, RoomNid{}, std::move(type));
    if (list) ignored_ = ignored_users(*list, user_);
  }

  // spec: client-server-api#ignoring-users: but for their state events.
  bool accepts(const Event& event) const {
    return request_.wanted(event) && (event.state_key() || !ignored_.contains(event.sender().str()));
  }

  bool backward() const { return request_.direction == Direction::backward; }
  bool full() const { return page_.events.size() >= request_.limit; }

  Gap gap_after_until() const {
    const OrderKey& until = room_.readable.until;
    return {until.anchor, until.sub + 1};
  }

  // EventStore::page leaves out the event at the key itself; forwards, that is the first to come.
  OrderKey page_key() const {
    if (backward()) return at_;
    if (at_.sub > std::numeric_limits<std::int32_t>::min()) return {at_.anchor, at_.sub - 1};
    return {at_.anchor - 1, std::numeric_limits<std::int32_t>::max()};
  }

  bool beyond_end(const StoredEvent& event) const {
    if (!backward() && *event.order > room_.readable.until) return true;
    if (!request_.to) return false;
    return backward() ? *event.order < *request_.to : *event.order >= *request_.to;
  }

  Task<> read_batch() {
    const std::size_t wanted = std::max(request_.limit - page_.events.size(), min_batch);
    auto batch = co_await reader_.events_.page(room_.info->nid, page_key(), request_.direction, wanted);
    ended_ = batch.size() < wanted;
    if (backward()) batch = co_await mind_gaps(std::move(batch), wanted);
    cut(batch);
    looked_at_ += batch.size();
    auto visible = co_await reader_.rooms_.visible_to(user_, room_.info, batch);
    std::erase_if(visible, [this](const StoredEventPtr& event) { return !accepts(*event->event); });
    take(batch, std::move(visible));
  }

  // Leaves out what lies beyond the end that was asked for.
  void cut(std::vector<StoredEventPtr>& batch) {
    const auto end = std::ranges::find_if(batch, [this](const StoredEventPtr& event) { return beyond_end(*event); });
    if (end == batch.end()) return;
    batch.erase(end, batch.end());
    ended_ = true;
  }

  // Adds what fits and goes on from the last event that was looked at.
  void take(const std::vector<StoredEventPtr>& batch, std::vector<StoredEventPtr> visible) {
    const std::size_t room_left = request_.limit - page_.events.size();
    if (visible.size() > room_left) {
      visible.resize(room_left);
      ended_ = false;
    }
    page_.events.insert(page_.events.end(), visible.begin(), visible.end());
    const StoredEventPtr last = full() && !visible.empty() ? visible.back() : (batch.empty() ? nullptr : batch.back());
    const bool whole = !last || last == batch.back();
    if (!whole) ended_ = false;
    if (last) at_ = backward() ? gap_before(*last) : gap_after(*last);
    if (whole && stop_at_) at_ = *stop_at_;
  }

  // Where history is missing on the way back, other servers are asked for it. A page ends at a gap that nobody answers
  // for, and the request that goes on from there asks once more; then, or where nobody has what is missing, it goes on
  // with what is known behind.
  Task<std::vector<StoredEventPtr>> mind_gaps(std::vector<StoredEventPtr> batch, std::size_t wanted) {
    for (;;) {
      const auto gap = co_await gap_within(batch, wanted);
      if (!gap) co_return batch;
      bool answered = false;
      if (backfills_ < max_backfills && room_.info->resident) {
        ++backfills_;
        const auto filled = co_await reader_.backfill_(room_.info, *gap, wanted);
        answered = filled.has_value();
        gaps_.reset();
        batch = co_await reader_.events_.page(room_.info->nid, page_key(), request_.direction, wanted);
        ended_ = batch.size() < wanted;
        const auto left = co_await gap_within(batch, wanted);
        if (left != gap) continue;
      }
      const bool nothing_behind =
          std::ranges::none_of(batch, [&gap](const StoredEventPtr& event) { return *event->order < *gap; });
      if (nothing_behind || (!answered && *gap != begin_)) {
        std::erase_if(batch, [&gap](const StoredEventPtr& event) { return *event->order < *gap; });
        stop_at_ = gap;
        ended_ = false;
        co_return batch;
      }
      passed_.insert(*gap);
    }
  }

  // The nearest on the way to the batch's last event; to the room's beginning where the batch ends there.
  Task<std::optional<Gap>> gap_within(const std::vector<StoredEventPtr>& batch, std::size_t wanted) {
    if (!gaps_) gaps_ = co_await reader_.events_.gaps(room_.info->nid, max_gaps);
    const OrderKey reached = batch.size() < wanted ? OrderKey{} : *batch.back()->order;
    for (const EventStore::Gap& gap : *gaps_) {
      if (!gap.later || !gap.later->order) continue;
      const OrderKey place = *gap.later->order;
      if (place <= at_ && place > reached && !passed_.contains(place)) co_return place;
    }
    co_return std::nullopt;
  }

  const TimelineReader& reader_;
  const UserNid nid_;
  const UserId user_;
  const ReadableRoom room_;
  IgnoredUsers ignored_;
  const TimelineRequest request_;
  Gap at_;
  TimelinePage page_;
  std::size_t looked_at_ = 0;
  bool ended_ = false;
  Gap begin_;
  std::optional<std::vector<EventStore::Gap>> gaps_;  // once read
  std::size_t backfills_ = 0;
  std::set<Gap> passed_;        // that nobody fills
  std::optional<Gap> stop_at_;  // the page ends at this gap
};

TimelineReader::TimelineReader(EventStore& events, RoomReader& rooms, AccountService& accounts, Backfill backfill)
    : events_(events), rooms_(rooms), accounts_(accounts), backfill_(std::move(backfill)) {}

Task<TimelinePage> TimelineReader::page(UserNid nid, UserId user, ReadableRoom room, TimelineRequest request) const {
  Walk walk(*this, nid, std::move(user), std::move(room), std::move(request));
  co_return co_await walk.read();
}

Task<TimelineContext> TimelineReader::around(UserNid nid, UserId user, ReadableRoom room, StoredEventPtr event,
                                             std::size_t limit, EventPredicate wanted) const {
  TimelineContext context;
  context.event = event;
  TimelineRequest before;
  before.from = gap_before(*event);
  before.direction = Direction::backward;
  before.limit = (limit + 1) / 2;
  before.wanted = wanted;
  if (before.limit > 0) context.before = co_await page(nid, user, room, std::move(before));
  TimelineRequest after;
  after.from = gap_after(*event);
  after.direction = Direction::forward;
  after.limit = limit / 2;
  after.wanted = std::move(wanted);
  if (after.limit > 0) context.after = co_await page(nid, std::move(user), std::move(room), std::move(after));
  co_return context;
}

Task<StoredEventPtr> TimelineReader::visible_event(UserId user, RoomInfoPtr room, EventId id) const {
  const StoredEventPtr event = co_await events_.by_id(std::move(id));
  if (!event || event->room != room->nid || !event->is_shown()) co_return nullptr;
  std::vector<StoredEventPtr> asked(1, event);
  const auto visible = co_await rooms_.visible_to(std::move(user), std::move(room), std::move(asked));
  if (visible.empty()) co_return nullptr;
  co_return event;
}

Task<StateRef> TimelineReader::state_at(ReadableRoom room, Gap place) const {
  if (place > room.readable.until) co_return room.readable.state;
  const auto before = co_await events_.page(room.info->nid, place, Direction::backward, 1);
  if (before.empty()) co_return StateRef{};
  co_return before.front()->state_after();
}

std::vector<StoredEventPtr> TimelineContext::all() const {
  std::vector<StoredEventPtr> events(before.events.rbegin(), before.events.rend());
  events.push_back(event);
  events.insert(events.end(), after.events.begin(), after.events.end());
  return events;
}

}  // namespace causeway
