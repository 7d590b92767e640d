// The reply as JSON: appended bytes, stored events spliced in as they are.
#include "homeserver/sync/sync_builder.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::string_view section_names[] = {"join", "invite", "knock", "leave"};

// Elements of a JSON array or members of an object: puts the commas.
class Separator {
 public:
  explicit Separator(std::string& out) : out_(out) {}
  void operator()() {
    if (!std::exchange(first_, false)) out_ += ',';
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void append_key(std::string& out, std::string_view key) {
  json::append_quoted(out, key);
  out += ':';
}

// "key":{"events":[...]}
void append_events(std::string& out, std::string_view key, const std::vector<std::string>& events) {
  append_key(out, key);
  out += R"({"events":[)";
  Separator separate(out);
  for (const auto& event : events) {
    separate();
    out += event;
  }
  out += "]}";
}

void append_summary(std::string& out, const RoomSummary& summary) {
  out += R"("summary":{)";
  if (summary.heroes) {
    out += R"("m.heroes":[)";
    Separator separate(out);
    for (const auto& hero : *summary.heroes) {
      separate();
      json::append_quoted(out, hero.str());
    }
    out += "],";
  }
  out += R"("m.joined_member_count":)" + std::to_string(summary.joined);
  out += R"(,"m.invited_member_count":)" + std::to_string(summary.invited) + "},";
}

// spec: client-server-api#mtyping
std::string typing_event(const std::vector<UserId>& users, const IgnoredUsers& ignored) {
  std::string event = R"({"type":"m.typing","content":{"user_ids":[)";
  Separator separate(event);
  for (const auto& user : users) {
    if (ignored.contains(user.str())) continue;
    separate();
    json::append_quoted(event, user.str());
  }
  return event + "]}}";
}

// spec: client-server-api#mreceipt: {event: {type: {user: {ts, thread_id}}}}, one for each thread.
std::vector<std::string> receipt_events(const std::vector<ReceiptService::Receipt>& receipts) {
  std::map<std::string_view, json::object> threads;
  for (const auto& receipt : receipts) {
    auto member = [](json::object& object, const std::string& key) -> json::object& {
      auto& value = object[key];
      return value.is_object() ? value.get_object() : value.emplace_object();
    };
    auto& of_event = member(threads[receipt.thread_id], receipt.event.str());
    auto& details = member(member(of_event, receipt.type), receipt.user.str());
    details["ts"] = receipt.ts;
    if (!receipt.thread_id.empty()) details["thread_id"] = receipt.thread_id;
  }
  std::vector<std::string> events;
  for (const auto& [thread, content] : threads)
    events.push_back(R"({"type":"m.receipt","content":)" + boost::json::serialize(content) + '}');
  return events;
}

}  // namespace

Task<std::string> SyncBuilder::write() {
  std::string out = R"({"next_batch":)";
  json::append_quoted(out, until_.str());
  if (!global_account_data_.empty()) {
    empty_ = false;
    out += ',';
    append_events(out, "account_data", global_account_data_);
  }
  co_await write_rooms(out);
  // spec: client-server-api#e2e-extensions-to-sync: both are always there.
  out += R"(,"device_one_time_keys_count":{},"device_unused_fallback_key_types":[]})";
  co_return out;
}

Task<> SyncBuilder::write_rooms(std::string& out) {
  bool any_section = false;
  for (auto section :
       {RoomPart::Section::join, RoomPart::Section::invite, RoomPart::Section::knock, RoomPart::Section::leave}) {
    bool any_room = false;
    for (const auto& part : parts_) {
      if (part.section != section || !worth_telling(part)) continue;
      if (!any_section) out += R"(,"rooms":{)";
      if (!any_room) {
        if (any_section) out += ',';
        append_key(out, section_names[static_cast<std::size_t>(section)]);
      }
      out += any_room ? ',' : '{';
      any_section = any_room = true;
      append_key(out, part.info->id.str());
      co_await write_room(out, part);
      co_await slice_.give_way();
    }
    if (any_room) out += '}';
  }
  if (!any_section) co_return;
  empty_ = false;
  out += '}';
}

bool SyncBuilder::worth_telling(const RoomPart& part) const {
  switch (part.section) {
    case RoomPart::Section::invite:
    case RoomPart::Section::knock:
      return !part.stripped_state.empty();
    case RoomPart::Section::leave:
      return true;
    case RoomPart::Section::join:
      break;
  }
  return every_room_ || part.fresh || part.limited || part.tell_typing || part.summary || !part.timeline.empty() ||
         !part.state.empty() || !part.receipts.empty() || !part.account_data.empty();
}

// NOTSPEC: empty sections could be left out, but clients in the field expect them.
Task<> SyncBuilder::write_room(std::string& out, const RoomPart& part) {
  if (part.section == RoomPart::Section::invite || part.section == RoomPart::Section::knock) {
    const bool invite = part.section == RoomPart::Section::invite;
    out += invite ? R"({"invite_state":{"events":)" : R"({"knock_state":{"events":)";
    out += part.stripped_state + "}}";
    co_return;
  }
  out += '{';
  if (part.summary) append_summary(out, *part.summary);
  if (request_.use_state_after) co_await write_state(out, "state_after", part);
  if (request_.use_state_after_unstable) co_await write_state(out, "org.matrix.msc4222.state_after", part);
  if (!wants_state_after()) co_await write_state(out, "state", part);
  co_await write_timeline(out, part);
  if (part.section == RoomPart::Section::join) write_ephemeral(out, part);
  append_events(out, "account_data", part.account_data);
  out += '}';
  remember_members(part);
}

// `key` is a literal.
Task<> SyncBuilder::write_state(std::string& out, std::string_view key, const RoomPart& part) {
  append_key(out, key);
  out += R"({"events":[)";
  Separator separate(out);
  for (const auto& event : part.state) {
    separate();
    out += state_event(*event->event);
    co_await slice_.give_way();
  }
  out += "]},";
}

// Events of the state carry nothing in `unsigned` but their age: what they replaced the client never saw.
std::string SyncBuilder::state_event(const Event& event) const {
  if (filter_->event_format == Filter::Format::federation) return to_pdu(event);
  const auto age = std::max<Timestamp>(0, s_.clock.now_ms() - event.origin_server_ts());
  std::string out;
  append_client_event(out, event, ClientEventFormat::sync, R"({"age":)" + std::to_string(age) + '}');
  return filter_->event_fields.empty() ? out : keep_event_fields(out, filter_->event_fields);
}

Task<> SyncBuilder::write_timeline(std::string& out, const RoomPart& part) {
  std::vector<std::string> events;
  if (filter_->event_format == Filter::Format::federation) {
    for (const auto& event : part.timeline)
      events.push_back(to_pdu(*event->event));
  } else {
    const auto viewer = EventSerializer::Viewer::of(request_.requester);
    events = co_await s_.serializer.objects(viewer, part.info, part.timeline, ClientEventFormat::sync);
    if (!filter_->event_fields.empty())
      for (auto& event : events)
        event = keep_event_fields(event, filter_->event_fields);
  }
  out += R"("timeline":{"events":[)";
  Separator separate(out);
  for (const auto& event : events) {
    separate();
    out += event;
  }
  out += R"(],"limited":)";
  out += part.limited ? "true" : "false";
  out += R"(,"prev_batch":)";
  json::append_quoted(out, pagination_token(part.prev_batch()));
  out += "},";
}

void SyncBuilder::write_ephemeral(std::string& out, const RoomPart& part) const {
  std::vector<std::string> events;
  if (part.tell_typing) events.push_back(typing_event(s_.typing.in_room(part.info->nid), user_->ignored));
  auto receipts = receipt_events(part.receipts);
  events.insert(events.end(), receipts.begin(), receipts.end());
  append_events(out, "ephemeral", events);
  out += ',';
}

}  // namespace causeway
