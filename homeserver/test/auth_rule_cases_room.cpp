// Cases of the rules on m.room.create, the list auth_events, m.room.aliases, redactions, and on all other events.
#include "homeserver/test/support/auth_rule_cases.hpp"

namespace causeway::test {

namespace {

using enum AuthRule;

const std::string with_creator = R"({"creator":"@alice:a"})";

bool is_v12(const Trial& trial) {
  return trial.version.room_id_is_create_hash;
}

// A room's first event, which nothing comes before.
auto first_event(std::string content) {
  return [content = std::move(content)](Trial& trial) {
    trial.event = {"m.room.create", "", creator, content};
    trial.place = {.id = "$create", .room_id = is_v12(trial) ? "" : "!room:a", .prev_events = {}};
    trial.state = FakeState();
  };
}

void add_create_cases(Cases& cases) {
  cases.accepts(create_prev_events, "the room's first event").with(first_event(with_creator));
  cases.refuses(create_prev_events, "something came before").with([](Trial& trial) {
    first_event(with_creator)(trial);
    trial.place.prev_events = {"$other"};
  });
  cases.accepts(create_domain, "of the creator's server").with(first_event(with_creator));
  cases.refuses(create_domain, "of another server").with([](Trial& trial) {
    first_event(with_creator)(trial);
    trial.place.room_id = "!room:b";
  });
  cases.accepts(create_room_id, "without room_id").with(first_event("{}"));
  cases.refuses(create_room_id, "with room_id").with([](Trial& trial) {
    first_event("{}")(trial);
    trial.place.room_id = "!create";
  });
  for (const char* version : {"1", "12", "5"})
    cases.accepts(create_version, version)
        .with(first_event(R"({"creator":"@alice:a","room_version":")" + std::string(version) + "\"}"));
  for (const char* version : {"\"no such\"", "\"13\"", "11", "null"})
    cases.refuses(create_version, version)
        .with(first_event(R"({"creator":"@alice:a","room_version":)" + std::string(version) + "}"));
  cases.accepts(create_creator, "has a creator").with(first_event(with_creator));
  cases.refuses(create_creator, "has no creator").with(first_event("{}"));
  for (const char* users : {R"(["@bob:a","@carol:b"])", "[]"})
    cases.accepts(create_additional_creators, users)
        .with(first_event(R"({"additional_creators":)" + std::string(users) + "}"));
  for (const char* users : {R"("@bob:a")", R"(["bob"])", "[1]", R"({"@bob:a":1})", "null"}) {
    const std::string content = R"({"creator":"@alice:a","additional_creators":)" + std::string(users) + "}";
    cases.refuses(create_additional_creators, users).with(first_event(content));
    cases.accepts(create_otherwise, std::string("no matter before version 12: ") + users)
        .with(first_event(content))
        .until(11);
  }
  cases.accepts(create_otherwise, "without creator from version 11 on").with(first_event("{}")).from(11);
  cases.accepts(create_otherwise, "all is well").with(first_event(with_creator));
  cases.leaves_to(create_otherwise, create_version, "not all is well")
      .with(first_event(R"({"creator":"@alice:a","room_version":"x"})"));
}

EventPtr auth_event(const Trial& trial, const EventText& text, std::string room_id = "") {
  return make_event(trial.version, text,
                    {.id = "$auth", .room_id = room_id.empty() ? room_id_of(trial.version) : std::move(room_id)});
}

// The list of a message of a member: the create event where the version wants it, and the given ones.
auto listing(std::vector<EventText> entries, bool rejected = false, std::string room_id = "") {
  return [=](Trial& trial) {
    trial.auth_events.emplace();
    if (!is_v12(trial)) trial.auth_events->push_back({make_create(trial.version)});
    for (const EventText& text : entries)
      trial.auth_events->push_back({auth_event(trial, text, room_id), rejected});
  };
}

void add_auth_events_cases(Cases& cases) {
  const EventText own_join = member_event(member, member, "join");
  const EventText message = message_of(member);
  cases.accepts(auth_events_duplicate, "one of each", message).with(listing({own_join, power_levels("{}")}));
  cases.refuses(auth_events_duplicate, "two of one", message).with(listing({own_join, own_join}));
  cases.accepts(auth_events_selection, "what is selected", message).with(listing({own_join}));
  cases.refuses(auth_events_selection, "join rules of a message", message)
      .with(listing({own_join, join_rules("public")}));
  cases.refuses(auth_events_selection, "no state event", message).with(listing({own_join, message}));
  cases.refuses(auth_events_selection, "the create event from version 12 on", message)
      .with([=](Trial& trial) {
        listing({own_join})(trial);
        trial.auth_events->push_back({make_create(trial.version)});
      })
      .from(12);
  const EventText via{"m.room.member", stranger, stranger,
                      R"({"membership":"join","join_authorised_via_users_server":"@mod:a"})"};
  const EventText authoriser = member_event(moderator, moderator, "join");
  cases.accepts(auth_events_selection, "the authorising member from version 8 on", via)
      .with(listing({authoriser}))
      .from(8);
  cases.refuses(auth_events_selection, "nobody authorises before version 8", via).with(listing({authoriser})).until(7);
  cases.accepts(auth_events_rejected, "accepted ones", message).with(listing({own_join}));
  cases.refuses(auth_events_rejected, "a rejected one", message).with(listing({own_join}, true));
  cases.accepts(auth_events_create, "the create event is there", message).with(listing({own_join}));
  cases.refuses(auth_events_create, "the create event is not there", message).with([=](Trial& trial) {
    trial.auth_events.emplace();
    trial.auth_events->push_back({auth_event(trial, own_join)});
  });
  cases.refuses(auth_events_create, "a room without create event", message).with([](Trial& trial) {
    trial.state.erase("m.room.create", "");
  });
  cases.accepts(auth_events_room, "of this room", message).with(listing({own_join}));
  cases.refuses(auth_events_room, "of another room", message).with(listing({own_join}, false, "!other:a"));
}

void add_room_id_cases(Cases& cases) {
  cases.accepts(room_id, "names its create event", message_of(member));
  cases.refuses(room_id, "the create event is not there", message_of(member)).with([](Trial& trial) {
    trial.state.erase("m.room.create", "");
  });
  cases.refuses(room_id, "names another event", message_of(member)).with([](Trial& trial) {
    trial.place.room_id = "!another";
  });
  const auto federates = [](const std::string& value) {
    return [value](Trial& trial) { trial.state.set(make_create(trial.version, "{\"m.federate\":" + value + "}")); };
  };
  cases.accepts(federate, "of the same server", message_of(member)).with(federates("false"));
  cases.refuses(federate, "of another server", message_of(other_member)).with(federates("false"));
  cases.accepts(federate, "a room that federates", message_of(other_member)).with(federates("true"));
}

void add_aliases_cases(Cases& cases) {
  const auto aliases = [](std::optional<std::string> server, const std::string& sender) {
    return EventText{"m.room.aliases", std::move(server), sender};
  };
  cases.accepts(aliases_state_key, "with a state_key", aliases("a", member));
  cases.refuses(aliases_state_key, "without", aliases(std::nullopt, member));
  cases.accepts(aliases_domain, "of the own server", aliases("a", member));
  cases.refuses(aliases_domain, "of another server", aliases("b", member));
  cases.accepts(aliases_otherwise, "without any level", aliases("a", member));
  cases.accepts(aliases_otherwise, "from outside the room", aliases("b", stranger));
  cases.leaves_to(aliases_otherwise, aliases_domain, "of another server", aliases("a", stranger));
  cases.refuses(required_level, "aliases are state like any other from version 6 on", aliases("a", member)).from(6);
  cases.accepts(otherwise, "moderators set aliases of any server from version 6 on", aliases("b", moderator)).from(6);
}

void add_redaction_cases(Cases& cases) {
  const auto redaction = [](std::string id, std::string target) {
    return [=](Trial& trial) {
      trial.place.id = id;
      trial.place.redacts = target;
    };
  };
  const EventText by_moderator{"m.room.redaction", std::nullopt, moderator};
  const EventText by_member{"m.room.redaction", std::nullopt, member};
  cases.accepts(redaction_level, "a moderator, any event", by_moderator).with(redaction("$r:a", "$e:b"));
  cases.leaves_to(redaction_level, redaction_otherwise, "a member", by_member).with(redaction("$r:a", "$e:b"));
  cases.accepts(redaction_domain, "an event of the same server", by_member).with(redaction("$r:a", "$e:a"));
  cases.leaves_to(redaction_domain, redaction_otherwise, "of another server", by_member)
      .with(redaction("$r:a", "$e:b"));
  cases.refuses(redaction_otherwise, "no target", by_member).with(redaction("$r:a", ""));
  cases.accepts(redaction_otherwise, "an own event", by_member).with(redaction("$r:a", "$e:a"));
  cases.accepts(otherwise, "redactions are events like others from version 3 on", by_member).from(3);
}

void add_common_cases(Cases& cases) {
  const auto state = [](const std::string& type, const std::string& key, const std::string& sender) {
    return EventText{type, key, sender};
  };
  cases.accepts(sender_joined, "a member speaks", message_of(member));
  cases.refuses(sender_joined, "an invited user does not", message_of(invited));
  cases.refuses(sender_joined, "a stranger does not", message_of(stranger));
  const EventText offer = {"m.room.third_party_invite", "token", moderator};
  const EventText weak_offer = {"m.room.third_party_invite", "token", member};
  cases.accepts(third_party_invite_level, "a moderator offers", offer);
  cases.refuses(third_party_invite_level, "a member does not", weak_offer);
  cases.accepts(third_party_invite_level, "the type's own level does not count", weak_offer,
                {power_levels(R"({"events":{"m.room.third_party_invite":100}})")});
  cases.accepts(required_level, "a moderator sets state", state("m.room.name", "", moderator));
  cases.refuses(required_level, "a member does not", state("m.room.name", "", member));
  cases.refuses(required_level, "nor by the default of state_default", state("m.room.name", "", member),
                {power_levels("{}")});
  cases.refuses(required_level, "levels by type come first", state("m.topic", "", moderator));
  cases.refuses(required_level, "and hold for messages", {"m.topic", std::nullopt, member});
  cases.accepts(required_level, "a creator is above them", state("m.topic", "", creator));
  cases.refuses(required_level, "events_default", message_of(member), {power_levels(R"({"events_default":1})")});
  cases.accepts(required_level, "state_default", state("m.x", "", member), {power_levels(R"({"state_default":0})")});
  cases.accepts(required_level, "users_default", state("m.x", "", member), {power_levels(R"({"users_default":50})")});
  const auto no_levels = [](Trial& trial) { trial.state.erase("m.room.power_levels", ""); };
  cases.accepts(required_level, "a creator without power levels", state("m.room.name", "", creator)).with(no_levels);
  cases.refuses(required_level, "nobody else without power levels", state("m.room.name", "", moderator))
      .with(no_levels);
  cases.accepts(own_state_key, "an own state_key", state("m.x", moderator, moderator));
  cases.refuses(own_state_key, "another's state_key", state("m.x", member, moderator));
  cases.refuses(own_state_key, "no user at all", state("m.x", "@", moderator));
  cases.accepts(otherwise, "a message", message_of(member));
  cases.leaves_to(otherwise, sender_joined, "a message from outside", message_of(stranger));
}

}  // namespace

void add_room_cases(Cases& cases) {
  add_create_cases(cases);
  add_auth_events_cases(cases);
  add_room_id_cases(cases);
  add_aliases_cases(cases);
  add_redaction_cases(cases);
  add_common_cases(cases);
}

}  // namespace causeway::test
