// A random room that several servers write together: its events, and the truth about them.
#pragma once

#include <map>
#include <random>
#include <set>

#include "conformance/state_resolution/truth.hpp"
#include "homeserver/test/support/room_kit.hpp"

namespace causeway::test {

using Place = std::size_t;  // of an event in the room's list; what it names comes before it
using Places = std::set<Place>;

struct MadeEvent {
  EventPtr event;
  Places prev;
  std::vector<Place> auth;
};

class SimulatedRoom {
 public:
  SimulatedRoom(const RoomVersion& version, unsigned seed);

  const RoomVersion& version() const { return version_; }
  std::mt19937& random() { return random_; }
  std::size_t roll(std::size_t sides) { return random_() % sides; }

  std::size_t size() const { return events_.size(); }
  const MadeEvent& at(Place place) const { return events_[place]; }
  Place place_of(const std::string& id) const { return places_.at(id); }
  Places first_events() const { return first_events_; }  // up to the public room that the servers start from

  // A user of the server does something at random that the state after these events allows; now and then something
  // that it does not allow. Nothing: no luck.
  std::optional<Place> write(char server, const Places& prev);
  // The same with a message or a join.
  std::optional<Place> write_message(char server, const Places& prev);
  std::optional<Place> write_join(char server, const Places& prev);

  // The truth.
  const NaiveState& before(Place place) { return truth_.before(id_of(place)); }
  bool is_rejected(Place place) const { return truth_.is_rejected(id_of(place)); }
  const NaiveState& state_of(const Places& extremities);  // that these events' states resolve to
  bool allows(const Event& event, const NaiveState& state) const { return truth_.allows(event, state); }

 private:
  EventText random_text(const std::string& sender);
  EventText random_power_levels(const std::string& sender);
  std::vector<std::string> users_of(char server) const;
  EventPtr make(const EventText& text, const Places& prev, const NaiveState& before);
  Place add(EventPtr event, const Places& prev);
  std::optional<Place> try_to_write(const EventText& text, const Places& prev, bool even_if_refused);
  void begin(const EventText& text);
  const std::string& id_of(Place place) const { return events_[place].event->id().str(); }

  const RoomVersion& version_;
  std::mt19937 random_;
  std::vector<MadeEvent> events_;
  std::map<std::string, Place> places_;
  Truth truth_;
  Places first_events_;
};

}  // namespace causeway::test
