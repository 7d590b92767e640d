#include "homeserver/sync/event_serializer.hpp"

#include <deque>
#include <map>
#include <unordered_map>

#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/runtime/memory_use.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_transaction_bytes = 16 << 20;

// Which device sent a recent event under which transaction identifier. Not kept over a restart: a client that did not
// get its answer by then repeats the request and learns the event ID.
class RecentTransactions {
 public:
  void add(const TransactionRecord& record) {
    if (!sent_.try_emplace(record.event, Sent{record.device, record.transaction_id}).second) return;
    bytes_ += bytes_of(record.transaction_id);
    order_.push_back(record.event);
    while (bytes_ > max_transaction_bytes)
      forget_oldest();
  }

  const std::string* find(EventNid event, DeviceNid device) const {
    const auto it = sent_.find(event);
    return it != sent_.end() && it->second.device == device ? &it->second.transaction_id : nullptr;
  }

 private:
  struct Sent {
    DeviceNid device{};
    std::string transaction_id;
  };
  static std::size_t bytes_of(const std::string& transaction_id) {
    return sizeof(Sent) + node_bytes + sizeof(EventNid) + heap_bytes(transaction_id);
  }
  void forget_oldest() {
    const auto oldest = sent_.find(order_.front());
    bytes_ -= bytes_of(oldest->second.transaction_id);
    sent_.erase(oldest);
    order_.pop_front();
  }

  std::unordered_map<EventNid, Sent> sent_;
  std::deque<EventNid> order_;
  std::size_t bytes_ = 0;
};

}  // namespace

struct EventSerializer::Impl {
  using Events = std::vector<StoredEventPtr>;

  // What the unsigned of one event needs beside the event.
  struct Extras {
    db::Membership membership = db::Membership::leave;
    StoredEventPtr replaced;  // the state event before it
    StoredEventPtr redacted_because;
  };

  Impl(EventStore& e, StateStore& s, RoomReader& r, const Clock& c) : events(e), states(s), reader(r), clock(c) {}

  Task<std::vector<Extras>> gather(Viewer viewer, RoomInfoPtr room, Events of);
  struct Asked {
    std::size_t event;  // which of them
    StateKeyNid key;
  };
  Task<std::vector<EventNid>> holders_before(RoomNid room, Events of, std::vector<Asked> asked);
  Task<> find_memberships(UserId viewer, RoomInfoPtr room, Events of, std::vector<Extras>& extras);
  Task<> find_replaced(RoomNid room, Events of, std::vector<Extras>& extras);
  Task<> find_redactions(Events of, std::vector<Extras>& extras);
  std::string unsigned_of(const StoredEvent& event, const Viewer& viewer, const Extras& extras,
                          ClientEventFormat format, Timestamp now) const;
  void append_redaction(std::string& out, const StoredEvent& redaction, ClientEventFormat format, Timestamp now) const;

  EventStore& events;
  StateStore& states;
  RoomReader& reader;
  const Clock& clock;
  RecentTransactions transactions;
};

// Who held a key of the state before each of the events. A version of the main line that one of these events made
// differs from the one before by that event alone; so for events that follow each other one look-up at the first is
// enough.
Task<std::vector<EventNid>> EventSerializer::Impl::holders_before(RoomNid room, Events of, std::vector<Asked> asked) {
  std::unordered_map<std::int32_t, const StoredEvent*> made;  // by version of the main line
  for (const StoredEventPtr& event : of)
    if (event->key && event->after && event->after->line == 0) made.emplace(event->after->version, event.get());
  std::vector<EventNid> holders(asked.size());
  std::map<StateRef, std::vector<std::size_t>> elsewhere;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    StateRef at = of[asked[i].event]->before;
    auto maker = made.end();
    while (at.line == 0 && (maker = made.find(at.version)) != made.end() && *maker->second->key != asked[i].key)
      --at.version;
    if (at.line == 0 && maker != made.end())
      holders[i] = maker->second->nid;
    else
      elsewhere[at].push_back(i);
  }
  for (const auto& [ref, places] : elsewhere) {
    std::vector<StateKeyNid> keys;
    for (std::size_t i : places)
      keys.push_back(asked[i].key);
    const auto found = co_await states.lookup(room, ref, std::move(keys));
    for (std::size_t n = 0; n < places.size(); ++n)
      holders[places[n]] = found[n];
  }
  co_return holders;
}

// The viewer's membership at each event, the change that the event itself makes included. Where the viewer comes or
// goes among the events themselves, they tell.
Task<> EventSerializer::Impl::find_memberships(UserId viewer, RoomInfoPtr room, Events of,
                                               std::vector<Extras>& extras) {
  const auto is_own = [&](const StoredEventPtr& event) {
    return event->key && event->order && event->event->is_state("m.room.member", viewer.str());
  };
  const auto own = std::find_if(of.begin(), of.end(), is_own);
  if (own == of.end()) {
    const auto memberships = co_await reader.memberships_at(viewer, room, of);
    for (std::size_t i = 0; i < of.size(); ++i)
      extras[i].membership = memberships[i];
    co_return;
  }
  std::vector<Asked> asked;
  for (std::size_t i = 0; i < of.size(); ++i)
    asked.push_back({i, *(*own)->key});
  const auto holders = co_await holders_before(room->nid, of, std::move(asked));
  std::vector<EventNid> nids;
  std::copy_if(holders.begin(), holders.end(), std::back_inserter(nids),
               [](EventNid nid) { return nid != EventNid{}; });
  const Events found = co_await events.by_nid(std::move(nids));
  auto holder = found.begin();
  for (std::size_t i = 0; i < of.size(); ++i) {
    const StoredEventPtr before = holders[i] != EventNid{} ? *holder++ : nullptr;
    extras[i].membership = membership_of(is_own(of[i]) ? of[i] : before);
  }
}

Task<> EventSerializer::Impl::find_replaced(RoomNid room, Events of, std::vector<Extras>& extras) {
  std::vector<Asked> asked;
  for (std::size_t i = 0; i < of.size(); ++i)
    if (of[i]->key && of[i]->order) asked.push_back({i, *of[i]->key});
  const auto holders = co_await holders_before(room, of, asked);
  std::vector<EventNid> nids;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (holders[i] == EventNid{}) continue;
    nids.push_back(holders[i]);
    places.push_back(asked[i].event);
  }
  if (nids.empty()) co_return;
  const Events found = co_await events.by_nid(std::move(nids));
  for (std::size_t n = 0; n < places.size(); ++n)
    extras[places[n]].replaced = found[n];
}

Task<> EventSerializer::Impl::find_redactions(Events of, std::vector<Extras>& extras) {
  std::vector<EventId> redacted;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < of.size(); ++i) {
    if (!of[i]->has(db::EventFlags::redacted)) continue;
    redacted.push_back(of[i]->event->id());
    places.push_back(i);
  }
  if (redacted.empty()) co_return;
  const Events because = co_await events.redactions_of(std::move(redacted));
  for (std::size_t n = 0; n < places.size(); ++n)
    extras[places[n]].redacted_because = because[n];
}

Task<std::vector<EventSerializer::Impl::Extras>> EventSerializer::Impl::gather(Viewer viewer, RoomInfoPtr room,
                                                                               Events of) {
  std::vector<Extras> extras(of.size());
  co_await find_memberships(viewer.user, room, of, extras);
  co_await find_replaced(room->nid, of, extras);
  co_await find_redactions(of, extras);
  co_return extras;
}

// spec: client-server-api#room-event-format
std::string EventSerializer::Impl::unsigned_of(const StoredEvent& event, const Viewer& viewer, const Extras& extras,
                                               ClientEventFormat format, Timestamp now) const {
  json::ObjectWriter out;
  out.member("age") += std::to_string(now - event.event->origin_server_ts());
  out.string_member("membership", db::to_string(extras.membership));
  if (viewer.device != DeviceNid{} && event.sender == viewer.nid)
    if (const std::string* id = transactions.find(event.nid, viewer.device)) out.string_member("transaction_id", *id);
  if (extras.replaced) {
    out.member("prev_content") += extras.replaced->event->content_json();
    out.string_member("prev_sender", extras.replaced->event->sender().str());
    out.string_member("replaces_state", extras.replaced->event->id().str());
  }
  // NOTSPEC: redacted_by and prev_sender are of older servers, and clients in the field read them.
  if (extras.redacted_because) out.string_member("redacted_by", extras.redacted_because->event->id().str());
  if (extras.redacted_because) append_redaction(out.member("redacted_because"), *extras.redacted_because, format, now);
  return out.take();
}

void EventSerializer::Impl::append_redaction(std::string& out, const StoredEvent& redaction, ClientEventFormat format,
                                             Timestamp now) const {
  json::ObjectWriter about;
  about.member("age") += std::to_string(now - redaction.event->origin_server_ts());
  append_client_event(out, *redaction.event, format, about.take());
}

EventSerializer::EventSerializer(StreamHub& hub, EventStore& events, StateStore& states, RoomReader& reader,
                                 const Clock& clock)
    : impl_(std::make_unique<Impl>(events, states, reader, clock)) {
  hub.add_listener(Stage::caches, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits)
      if (facts->transaction) impl->transactions.add(*facts->transaction);
  });
}

EventSerializer::~EventSerializer() = default;

Task<std::vector<std::string>> EventSerializer::objects(Viewer viewer, RoomInfoPtr room,
                                                        std::vector<StoredEventPtr> events, ClientEventFormat format) {
  std::vector<std::string> out(events.size());
  if (events.empty()) co_return out;
  const auto extras = co_await impl_->gather(viewer, std::move(room), events);
  const Timestamp now = impl_->clock.now_ms();
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string about = impl_->unsigned_of(*events[i], viewer, extras[i], format, now);
    append_client_event(out[i], *events[i]->event, format, about);
  }
  co_return out;
}

Task<std::string> EventSerializer::array(Viewer viewer, RoomInfoPtr room, std::vector<StoredEventPtr> events,
                                         ClientEventFormat format) {
  const auto each = co_await objects(std::move(viewer), std::move(room), std::move(events), format);
  co_return json::array_text(each);
}

Task<std::string> EventSerializer::object(Viewer viewer, RoomInfoPtr room, StoredEventPtr event,
                                          ClientEventFormat format) {
  std::vector<StoredEventPtr> one(1, std::move(event));
  auto each = co_await objects(std::move(viewer), std::move(room), std::move(one), format);
  co_return std::move(each.front());
}

}  // namespace causeway
