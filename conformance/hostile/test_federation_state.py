"""A peer that lies about the state of a room which this server knows: what is known here is never replaced by what is told."""

import re
from dataclasses import dataclass, field

import pytest

from fake_homeserver import enc
from servers import error, ok
from views import counted, state_of, still_takes_part, timeline, wait_until_shown

VERSIONS = ["6", "10", "11", "12"]
NOWHERE = "$" + "a" * 43


@dataclass
class Scene:
    """A room of alice's. The fake's user was an admin in it when it joined; then came all that it would like undone."""

    server: object
    fake: object
    alice: object
    bob: object
    room: object  # as the fake sees it
    powers: str = ""  # the power levels of when its user was an admin
    past: list = field(default_factory=list)  # the state of that time
    evil: str = ""  # a user who is banned since

    def follow(self):
        """The fake has all that alice's server sent of the room."""
        last = self.alice.send(self.room.id, "the newest")
        self.fake.wait_until_asked("^/v1/send/")
        while last not in self.room.events:
            with self.fake._changed:
                for pdu in self.fake.received_pdus():
                    if pdu["room_id"] == self.room.id and self.room.id_of(pdu) not in self.room.events:
                        self.room.add(pdu)
                if last not in self.room.events:
                    assert self.fake._changed.wait(30), "the event did not come"

    def state(self):
        return {key: event["event_id"] for key, event in state_of(self.alice, self.room.id).items()}

    def tell(self, ids):
        """Whatever is asked about, the state before it is this."""
        chain = list(self.room.auth_chain([self.room.events[one] for one in ids]))
        self.fake.on("GET", f"/v1/state_ids/{self.room.id}", (200, {"pdu_ids": ids, "auth_chain_ids": chain}))
        self.fake.on("GET", f"/v1/state/{self.room.id}", (200, {"pdus": [self.room.events[one] for one in ids],
                                                               "auth_chain": [self.room.events[one] for one in chain]}))
        self.fake.on("POST", f"/v1/get_missing_events/{self.room.id}", (200, {"events": []}))

    def hidden(self):
        """An event that this server does not have, on another that nobody has."""
        made = self.room.message("hidden", prev_events=[NOWHERE])
        self.room.events[self.room.id_of(made)] = made
        return self.room.id_of(made)

    def bridge(self, *prev_events, **members):
        made = self.room.message("on what was told", prev_events=list(prev_events), **members)
        self.fake.send(self.server, made)
        return made


@pytest.fixture
def stage(server, fake, alice, bob):
    def make(version):
        room_id = alice.create_room(preset="public_chat", room_version=version)
        levels = state_of(alice, room_id)["m.room.power_levels", ""]["content"]
        alice.set_state(room_id, "m.room.power_levels", {**levels, "users": {**levels["users"], fake.user(): 75}})
        room = fake.join(server, room_id)
        room.serve()
        scene = Scene(server, fake, alice, bob, room, room.state["m.room.power_levels", ""], list(room.state.values()), fake.user("evil"))
        evil = room.event("m.room.member", {"membership": "join"}, scene.evil, scene.evil)
        assert fake.send(server, evil) == {room.add(evil): {}}
        # Who came in by a rule that is gone is what resolution itself may drop; an invite is what bob can point to.
        ok(alice.post(f"/rooms/{enc(room_id)}/invite", {"user_id": bob.user_id}))
        bob.join(room_id)
        ok(alice.post(f"/rooms/{enc(room_id)}/ban", {"user_id": scene.evil}))
        alice.set_state(room_id, "m.room.server_acl", {"allow": ["*"], "deny": ["*.evil.example"]})
        alice.set_state(room_id, "m.room.power_levels", levels)
        alice.set_state(room_id, "m.room.join_rules", {"join_rule": "invite"})
        scene.follow()
        return scene

    return make


def everything_undone(scene):
    return scene.past


def nobody_here(scene):
    """Only what the fake's own user needs."""
    wanted = {"m.room.create", "m.room.power_levels", "m.room.join_rules"}
    own = scene.fake.user()
    return [one for one in scene.past if scene.room.events[one]["type"] in wanted or scene.room.events[one].get("state_key") == own]


LIES = [everything_undone, nobody_here]


def all_take_part(scene):
    """Those who were in the room still are, and see it; the banned user is out."""
    for user in (scene.alice, scene.bob):
        assert scene.room.id in ok(user.get("/joined_rooms"))["joined_rooms"]
        user.send(scene.room.id, "still here")
        assert scene.room.id in user.sync()["rooms"]["join"]
    joined = ok(scene.alice.get(f"/rooms/{enc(scene.room.id)}/joined_members"))["joined"]
    assert set(joined) == {scene.alice.user_id, scene.bob.user_id, scene.fake.user()}
    made = scene.fake.request(scene.server, "GET", f"/v1/make_join/{enc(scene.room.id)}/{enc(scene.evil)}", ver=[scene.room.version])
    assert made.status_code == 403, made.text


def old_powers_are_of_no_use(scene, *prev_events):
    """The fake's user was demoted: nothing that it does by the power it had has an effect."""
    before = scene.state()
    old = [*[one for one in scene.room.auth_events({"type": "m.room.topic", "sender": scene.fake.user()})
             if scene.room.events[one]["type"] != "m.room.power_levels"], scene.powers]
    topic = scene.room.event("m.room.topic", {"topic": "by old powers"}, state_key="", prev_events=list(prev_events), auth_events=old)
    scene.room.events[scene.room.id_of(topic)] = topic
    scene.fake.send(scene.server, topic)
    assert scene.room.id_of(topic) not in timeline(scene.alice, scene.room.id)
    assert scene.state() == before


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("known_too", [True, False], ids=["beside_the_newest_event", "alone"])
def test_state_told_by_a_peer_undoes_nothing_that_is_known_here(stage, version, lie, known_too):
    scene = stage(version)
    before, newest = scene.state(), scene.room.last
    scene.tell(lie(scene))
    missing = scene.hidden()
    bridge = scene.bridge(*([newest, missing] if known_too else [missing]))
    made = scene.room.id_of(bridge)
    wait_until_shown(scene.alice, scene.room.id, made)
    assert scene.state() == before
    old_powers_are_of_no_use(scene, made)
    all_take_part(scene)
    # What is sent next stands on all that is known.
    scene.follow()
    after = next(event for event in (scene.room.events[one] for one in reversed(scene.room.order)) if made in event["prev_events"])
    assert set(after["prev_events"]) == ({made} if known_too else {made, newest})
    scene.server.kill()
    scene.server.start()
    assert scene.state() == before
    all_take_part(scene)
    still_takes_part(scene.fake, scene.server, scene.room, scene.alice)


@pytest.mark.parametrize("version", VERSIONS)
def test_several_missing_events_are_each_asked_about_and_none_decides_alone(stage, version):
    scene = stage(version)
    before, newest = scene.state(), scene.room.last
    scene.tell(nobody_here(scene))
    missing = [scene.hidden() for _ in range(3)]
    bridge = scene.room.id_of(scene.bridge(newest, *missing))
    wait_until_shown(scene.alice, scene.room.id, bridge)
    assert {asked.query["event_id"][0] for asked in scene.fake.was_asked("state_ids")} == set(missing)
    assert scene.state() == before
    all_take_part(scene)


@pytest.mark.parametrize("version", VERSIONS)
def test_missing_event_that_is_a_state_event_is_part_of_the_state_after_it(stage, version):
    scene = stage(version)
    before, newest = scene.state(), scene.room.last
    own = scene.fake.user()
    renamed = scene.room.event("m.room.member", {"membership": "join", "displayname": "Mallory"}, own, own, prev_events=[newest, NOWHERE])
    scene.room.events[scene.room.id_of(renamed)] = renamed
    scene.tell(list(before.values()))
    bridge = scene.room.id_of(scene.bridge(newest, scene.room.id_of(renamed)))
    wait_until_shown(scene.alice, scene.room.id, bridge)
    assert scene.state() == {**before, ("m.room.member", own): scene.room.id_of(renamed)}
    all_take_part(scene)


@pytest.mark.parametrize("version", VERSIONS)
def test_missing_event_that_the_state_before_it_does_not_allow_is_no_part_of_the_state_after_it(stage, version):
    scene = stage(version)
    before, newest = scene.state(), scene.room.last
    levels = [*[one for one in scene.room.auth_events({"type": "m.room.topic", "sender": scene.fake.user()})
                if scene.room.events[one]["type"] != "m.room.power_levels"], scene.powers]
    topic = scene.room.event("m.room.topic", {"topic": "by old powers"}, state_key="", prev_events=[newest, NOWHERE], auth_events=levels)
    scene.room.events[scene.room.id_of(topic)] = topic
    scene.tell(list(before.values()))
    bridge = scene.room.id_of(scene.bridge(newest, scene.room.id_of(topic)))
    wait_until_shown(scene.alice, scene.room.id, bridge)
    assert scene.state() == before


def test_missing_event_whose_own_predecessors_are_here_is_taken_and_no_state_is_asked_for(stage):
    scene = stage("11")
    newest = scene.room.last
    scene.tell(nobody_here(scene))
    plain = scene.room.message("nobody sent it", prev_events=[newest])
    scene.room.events[scene.room.id_of(plain)] = plain
    bridge = scene.room.id_of(scene.bridge(newest, scene.room.id_of(plain)))
    wait_until_shown(scene.alice, scene.room.id, bridge)
    assert scene.room.id_of(plain) in timeline(scene.alice, scene.room.id)
    assert not scene.fake.was_asked("state_ids")


@pytest.mark.parametrize("version", VERSIONS)
def test_told_state_does_not_turn_what_was_accepted_into_something_rejected(server, fake, alice, bob, version):
    """The power levels came with the join, as part of the state. Then their place is told, by a peer that lies about it."""
    room = fake.make_room(version)
    member = room.event("m.room.member", {"membership": "join"}, fake.user("mod"), fake.user("mod"))
    room.add(member)
    users = {fake.user("mod"): 50} if version == "12" else {fake.user(): 100, fake.user("mod"): 50}
    room.add(room.event("m.room.power_levels", {"users": users}, state_key="", prev_events=room.cite([room.last, NOWHERE])))
    levels = room.last
    room.messages(3)
    alice.join(room.id, via=fake.name)
    bob.join(room.id)
    fake.on("POST", f"/v1/get_missing_events/{room.id}", (200, {"events": []}))
    create = [one for one in room.order if room.events[one]["type"] == "m.room.create"]
    fake.on("GET", f"/v1/state_ids/{re.escape(room.id)}", (200, {"pdu_ids": create, "auth_chain_ids": []}))
    fake.send(server, room.events[levels])
    fake.wait_until_asked("state_ids")
    alice_join = next(one for one in reversed(room.order) if room.events[one].get("state_key") == alice.user_id)
    room.last = alice_join
    topic = room.event("m.room.topic", {"topic": "by the moderator"}, fake.user("mod"), "")
    assert fake.send(server, topic) == {room.id_of(topic): {}}
    wait_until_shown(alice, room.id, room.id_of(topic))
    assert state_of(alice, room.id)["m.room.topic", ""]["event_id"] == room.id_of(topic)
    assert state_of(alice, room.id)["m.room.power_levels", ""]["event_id"] == levels
    error(bob.put(f"/rooms/{enc(room.id)}/state/m.room.topic/", {"topic": "without power"}), 403, "M_FORBIDDEN")


@pytest.mark.parametrize("version", VERSIONS)
def test_history_told_with_a_lie_about_its_state_changes_nothing_that_was_accepted(server, fake, alice, version):
    room = fake.make_room(version)
    mod = fake.user("mod")
    room.add(room.event("m.room.member", {"membership": "join"}, mod, mod))
    room.messages(3)
    users = {mod: 50} if version == "12" else {fake.user(): 100, mod: 50}
    room.add(room.event("m.room.power_levels", {"users": users}, state_key=""))
    levels = room.last
    room.messages(3)
    alice.join(room.id, via=fake.name)
    create = [one for one in room.order if room.events[one]["type"] == "m.room.create"]
    fake.on("GET", f"/v1/state_ids/{re.escape(room.id)}", (200, {"pdu_ids": create, "auth_chain_ids": []}))
    fake.on("GET", f"/v1/backfill/{re.escape(room.id)}",
            lambda asked: (200, {"pdus": [room.events[one] for one in room.order[room.order.index(levels):] if one not in asked.query["v"]][:4]
                                 + [room.events[one] for one in asked.query["v"]]}))
    timeline(alice, room.id)
    fake.wait_until_asked("state_ids")
    topic = room.event("m.room.topic", {"topic": "by the moderator"}, mod, "")
    assert fake.send(server, topic) == {room.id_of(topic): {}}
    wait_until_shown(alice, room.id, room.id_of(topic))
    assert state_of(alice, room.id)["m.room.power_levels", ""]["event_id"] == levels
