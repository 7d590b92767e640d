#include "client-api/history.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "schema/matrix/account_data.hpp"

namespace causeway::client_api {

namespace {

constexpr std::size_t max_looked_at = 2000;  // events per request, seen or not
constexpr std::size_t min_batch = 20;
constexpr std::size_t max_gaps = 20;

class HistoryReader {
 public:
  HistoryReader(ClientApi& api, const ReadableRoom& room, http::Requester user, HistoryRequest request,
                const RoomEventFilter& filter)
      : api_(api), room_(room), user_(std::move(user)), request_(request), filter_(filter), at_(request.from) {}

  Task<HistoryPage> read() {
    if (!backward() && at_ > room_.readable.until) co_return std::move(page_);
    co_await read_ignored_users();
    if (backward()) at_ = std::min(at_, gap_after_until());
    while (!full() && looked_at_ < max_looked_at && !ended_)
      co_await read_batch();
    if (!ended_) page_.next = at_;
    co_return std::move(page_);
  }

 private:
  Task<> read_ignored_users() {
    std::string type(ignored_user_list_type);
    const auto list = co_await api_.accounts.account_data(user_.user_nid, RoomNid{}, std::move(type));
    if (list) ignored_ = ignored_users(*list, user_.user);
  }

  // spec: client-server-api#ignoring-users: but for their state events.
  bool accepts(const Event& event) const {
    return filter_.accepts(event) && (event.state_key() || !ignored_.contains(event.sender().str()));
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
    auto batch = co_await api_.events.page(room_.info->nid, page_key(), request_.direction, wanted);
    if (backward()) batch = co_await fill_gap(std::move(batch), wanted);
    ended_ = batch.size() < wanted;
    cut(batch);
    looked_at_ += batch.size();
    auto visible = co_await api_.reader.visible_to(user_.user, room_.info, batch);
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
    if (!last) return;
    if (last != batch.back()) ended_ = false;
    at_ = backward() ? gap_before(*last) : gap_after(*last);
  }

  // Once per request: where history is missing on the way, asks other servers for it and reads the batch again.
  Task<std::vector<StoredEventPtr>> fill_gap(std::vector<StoredEventPtr> batch, std::size_t wanted) {
    if (backfilled_ || !room_.info->resident) co_return batch;
    const auto gaps = co_await api_.events.gaps(room_.info->nid, max_gaps);
    const OrderKey reached = batch.size() < wanted || batch.empty() ? OrderKey{} : *batch.back()->order;
    for (const EventStore::Gap& gap : gaps) {
      if (!gap.later || !gap.later->order) continue;
      const OrderKey later = *gap.later->order;
      if (later > at_ || later < reached) continue;
      backfilled_ = true;
      co_await api_.rooms.backfill(room_.info, later, wanted);
      co_return co_await api_.events.page(room_.info->nid, page_key(), request_.direction, wanted);
    }
    co_return batch;
  }

  ClientApi& api_;
  const ReadableRoom& room_;
  const http::Requester user_;
  IgnoredUsers ignored_;
  const HistoryRequest request_;
  const RoomEventFilter& filter_;
  Gap at_;
  HistoryPage page_;
  std::size_t looked_at_ = 0;
  bool ended_ = false;
  bool backfilled_ = false;
};

}  // namespace

Task<HistoryPage> read_history(ClientApi& api, const ReadableRoom& room, http::Requester user, HistoryRequest request,
                               const RoomEventFilter& filter) {
  HistoryReader reader(api, room, std::move(user), request, filter);
  co_return co_await reader.read();
}

Task<std::vector<StoredEventPtr>> members_of_senders(ClientApi& api, RoomNid room, StateRef at,
                                                     std::vector<StoredEventPtr> events) {
  std::set<std::string> senders;
  for (const StoredEventPtr& event : events)
    senders.insert(event->event->sender().str());
  std::vector<StateKey> keys;
  for (const std::string& sender : senders)
    keys.push_back(StateKey{"m.room.member", sender});
  auto members = co_await api.reader.state_events(room, at, std::move(keys));
  std::erase(members, nullptr);
  co_return members;
}

Result<RoomEventFilter> filter_parameter(const http::Request& request) {
  const auto text = request.query_parameter("filter");
  if (!text || text->empty()) return RoomEventFilter();
  return RoomEventFilter::parse(*text);
}

}  // namespace causeway::client_api
