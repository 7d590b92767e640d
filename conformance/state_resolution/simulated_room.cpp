#include "conformance/state_resolution/simulated_room.hpp"

namespace causeway::test {

namespace {

const std::vector<std::string> users = {"@alice:a", "@bob:a", "@carol:b", "@dave:c", "@eve:d"};
constexpr const char* create_content = R"({"additional_creators":["@bob:a"]})";

EventText member(const std::string& user, const std::string& sender, const std::string& membership) {
  return {"m.room.member", user, sender, R"({"membership":")" + membership + "\"}"};
}
EventText message(const std::string& sender) {
  return {"m.room.message", std::nullopt, sender};
}

}  // namespace

SimulatedRoom::SimulatedRoom(const RoomVersion& version, unsigned seed)
    : version_(version), random_(seed), truth_(version) {
  first_events_ = {add(make_create(version, create_content), {})};
  begin(member(users[0], users[0], "join"));
  begin(random_power_levels(users[0]));
  begin({"m.room.join_rules", "", users[0], R"({"join_rule":"public"})"});
  for (std::size_t i = 1; i < users.size(); ++i)
    begin(member(users[i], users[i], "join"));
}

void SimulatedRoom::begin(const EventText& text) {
  first_events_ = {try_to_write(text, first_events_, false).value()};
}

std::vector<std::string> SimulatedRoom::users_of(char server) const {
  std::vector<std::string> found;
  for (const auto& user : users)
    if (user.back() == server) found.push_back(user);
  return found;
}

EventText SimulatedRoom::random_text(const std::string& sender) {
  const std::string& other = users[roll(users.size())];
  switch (roll(10)) {
    case 0:
      return random_power_levels(sender);
    case 1:
      return {"m.room.join_rules", "", sender, roll(2) ? R"({"join_rule":"public"})" : R"({"join_rule":"invite"})"};
    case 2:
      return member(other, sender, "ban");
    case 3:
      return member(other, sender, "leave");
    case 4:
      return member(other, sender, "invite");
    case 5:
      return member(sender, sender, "leave");
    case 6:
      return member(sender, sender, "join");
    case 7:
      return message(sender);
    default:
      return {"m.room.topic", roll(2) ? "" : "x", sender};
  }
}

EventText SimulatedRoom::random_power_levels(const std::string& sender) {
  std::string content = "{\"users\":{";
  for (const auto& user : users) {
    const bool is_creator = version_.creators_are_privileged && (user == users[0] || user == users[1]);
    if (is_creator || (user != users[0] && roll(3) == 0)) continue;
    if (content.back() != '{') content += ',';
    content += "\"" + user + "\":" + std::to_string(user == users[0] ? 100 : roll(4) * 25);
  }
  return {"m.room.power_levels", "", sender, content + R"(},"state_default":0,"kick":40,"ban":40})"};
}

EventPtr SimulatedRoom::make(const EventText& text, const Places& prev, const NaiveState& before) {
  EventPlace place{.id = "$" + std::to_string(random_()), .room_id = room_id_of(version_), .prev_events = {}};
  place.ts = static_cast<Timestamp>(roll(6));  // few, so that ties are common
  for (Place named : prev) {
    place.prev_events.push_back(events_[named].event->id().str());
    place.depth = std::max(place.depth, events_[named].event->depth() + 1);
  }
  for (const StateKey& key : auth_event_keys(version_, text.type, text.state_key, UserId::trusted(text.sender),
                                             json::parse_object(text.content).value()))
    if (const auto held = before.find(key); held != before.end()) place.auth_events.push_back(held->second);
  return make_event(version_, text, place);
}

Place SimulatedRoom::add(EventPtr event, const Places& prev) {
  truth_.add(event);
  MadeEvent made{event, prev, {}};
  for (const EventId& cited : event->auth_events())
    made.auth.push_back(places_.at(cited.str()));
  const Place place = events_.size();
  places_[event->id().str()] = place;
  events_.push_back(std::move(made));
  return place;
}

std::optional<Place> SimulatedRoom::try_to_write(const EventText& text, const Places& prev, bool even_if_refused) {
  const NaiveState before = state_of(prev);
  EventPtr event = make(text, prev, before);
  if (!allows(*event, before) && !even_if_refused) return std::nullopt;
  return add(std::move(event), prev);
}

std::optional<Place> SimulatedRoom::write(char server, const Places& prev) {
  const auto own = users_of(server);
  for (int attempt = 0; attempt < 10; ++attempt)
    if (auto written = try_to_write(random_text(own[roll(own.size())]), prev, roll(200) == 0)) return written;
  return std::nullopt;
}

std::optional<Place> SimulatedRoom::write_message(char server, const Places& prev) {
  for (const auto& user : users_of(server))
    if (auto written = try_to_write(message(user), prev, false)) return written;
  return std::nullopt;
}

std::optional<Place> SimulatedRoom::write_join(char server, const Places& prev) {
  for (const auto& user : users_of(server))
    if (auto written = try_to_write(member(user, user, "join"), prev, false)) return written;
  return std::nullopt;
}

const NaiveState& SimulatedRoom::state_of(const Places& extremities) {
  EventIds ids;
  for (Place place : extremities)
    ids.insert(id_of(place));
  return truth_.state_of(ids);
}

}  // namespace causeway::test
