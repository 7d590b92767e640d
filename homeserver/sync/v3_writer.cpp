// Appended bytes, stored events spliced in as they are.
#include "homeserver/sync/v3_writer.hpp"

#include <array>

#include "homeserver/runtime/clock.hpp"
#include "schema/events/client_event.hpp"
#include "schema/json/object_writer.hpp"

namespace causeway {

namespace {

using List = RoomPart::List;

constexpr std::array<std::pair<List, std::string_view>, 4> lists = {
    {{List::join, "join"}, {List::invite, "invite"}, {List::knock, "knock"}, {List::leave, "leave"}}};

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

}  // namespace

V3Writer::V3Writer(const SyncServices& services, const SyncRequest& request, const SyncBuilder& built)
    : s_(services), request_(request), built_(built), span_(built.span()) {}

Task<std::string> V3Writer::write() {
  std::string out = R"({"next_batch":)";
  json::append_quoted(out, span_.until.str());
  built_.sections().write(out);
  if (!built_.rooms().empty()) co_await write_rooms(out);
  out += '}';
  co_return out;
}

Task<> V3Writer::write_rooms(std::string& out) {
  out += R"(,"rooms":{)";
  Separator separate_lists(out);
  for (const auto& [list, name] : lists) {
    bool any = false;
    for (const RoomPart& part : built_.rooms()) {
      if (part.list != list) continue;
      if (!any) {
        separate_lists();
        append_key(out, name);
      }
      out += std::exchange(any, true) ? ',' : '{';
      append_key(out, part.info->id.str());
      co_await write_room(out, part);
      co_await slice_.give_way();
    }
    if (any) out += '}';
  }
  out += '}';
}

// NOTSPEC: empty sections could be left out, but clients in the field expect them.
Task<> V3Writer::write_room(std::string& out, const RoomPart& part) {
  if (!part.has_timeline()) {
    out += part.list == List::invite ? R"({"invite_state":{"events":)" : R"({"knock_state":{"events":)";
    out += part.stripped_state + "}}";
    co_return;
  }
  const V3Room said = built_.sections().write_room(part.info->nid);
  out += '{' + said.members;
  if (request_.use_state_after) co_await write_state(out, "state_after", part);
  if (request_.use_state_after_unstable) co_await write_state(out, "org.matrix.msc4222.state_after", part);
  if (!span_.state_after) co_await write_state(out, "state", part);
  co_await write_timeline(out, part);
  if (part.list == List::join) out += R"("ephemeral":{"events":)" + json::array_text(said.ephemeral) + "},";
  out += R"("account_data":{"events":)" + json::array_text(said.account_data) + "}}";
}

// `key` is a literal.
Task<> V3Writer::write_state(std::string& out, std::string_view key, const RoomPart& part) {
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
std::string V3Writer::state_event(const Event& event) const {
  if (span_.filter->event_format == Filter::Format::federation) return to_pdu(event);
  const auto age = std::max<Timestamp>(0, s_.clock.now_ms() - event.origin_server_ts());
  std::string out;
  append_client_event(out, event, ClientEventFormat::sync, R"({"age":)" + std::to_string(age) + '}');
  return span_.filter->event_fields.empty() ? out : keep_event_fields(out, span_.filter->event_fields);
}

Task<> V3Writer::write_timeline(std::string& out, const RoomPart& part) {
  std::vector<std::string> events;
  if (span_.filter->event_format == Filter::Format::federation) {
    for (const auto& event : part.timeline)
      events.push_back(to_pdu(*event->event));
  } else {
    events = co_await s_.serializer.objects(request_.viewer, part.info, part.timeline, ClientEventFormat::sync);
    if (!span_.filter->event_fields.empty())
      for (auto& event : events)
        event = keep_event_fields(event, span_.filter->event_fields);
  }
  out += R"("timeline":{"events":)" + json::array_text(events) + R"(,"limited":)";
  out += part.limited ? "true" : "false";
  out += R"(,"prev_batch":)";
  json::append_quoted(out, pagination_token(part.prev_batch()));
  out += "},";
}

}  // namespace causeway
