"""What a room is: its state, its names, its successor, its members' profiles."""

import pytest

from fake_homeserver import enc
from scene import Listener, at_once, wait_for_members
from servers import ok
from waiting import wait_until



def powers(scene, room, **levels):
    content = ok(scene.maker.get(f"/rooms/{enc(room)}/state/m.room.power_levels"))
    return {**content, "users": {**content["users"], scene.guest.user_id: levels.pop("guest", 50)}, **levels}


def put_name(user, room, name):
    """Allowed or not: in a race either may be."""
    reply = user.put(f"/rooms/{enc(room)}/state/m.room.name", {"name": name})
    assert reply.status_code in (200, 403), reply.text
    return reply


def test_state_and_power_that_race_end_the_same_on_both_sides(scene):
    room = scene.shared_room()
    scene.maker.set_state(room, "m.room.power_levels", powers(scene, room))
    scene.agree(room)
    for turn in range(4):
        at_once(lambda: scene.maker.set_state(room, "m.room.topic", {"topic": f"the maker's {turn}"}),
                lambda: scene.guest.set_state(room, "m.room.topic", {"topic": f"the guest's {turn}"}))
        scene.agree(room)
    at_once(lambda: scene.maker.set_state(room, "m.room.power_levels", powers(scene, room, guest=0)),
            lambda: [put_name(scene.guest, room, f"name {number}") for number in range(5)],
            lambda: [scene.maker.send(room, f"{number}") for number in range(5)])
    scene.agree(room, but_for=scene.guest)
    wait_until(lambda: put_name(scene.guest, room, "too late").status_code == 403, pause=0.1)
    scene.agree(room, but_for=scene.guest)


def test_a_ban_that_races_messages_ends_the_same_on_both_sides(scene):
    room = scene.shared_room()
    witness = scene.away.register()
    witness.join(room, server_name=scene.home.name, via=scene.home.name)
    wait_for_members(room, {user.user_id for user in (scene.maker, scene.guest, witness)}, scene.maker)
    at_once(lambda: ok(scene.maker.post(f"/rooms/{enc(room)}/ban", {"user_id": scene.guest.user_id})),
            lambda: [scene.guest.put(f"/rooms/{enc(room)}/send/m.room.message/{number}", {"msgtype": "m.text", "body": "spam"}) for number in range(10)])
    wait_for_members(room, {scene.maker.user_id, witness.user_id}, scene.maker, witness)
    last = [scene.maker.send(room, "quiet now"), witness.send(room, "indeed")]
    _, seen = scene.agree(room, scene.maker, witness, but_for=scene.guest)
    assert set(last) <= seen.keys()


def test_an_upgraded_room_is_followed(scene):
    room = scene.shared_room(name="Old")
    listener = Listener(scene.guest)
    newer = "11" if scene.version != "11" else "12"
    successor = ok(scene.maker.post(f"/rooms/{enc(room)}/upgrade", {"new_version": newer}))["replacement_room"]

    def tombstones():
        return [event for event in listener.timelines[room] if event["type"] == "m.room.tombstone"]

    listener.until(tombstones, "the tombstone")
    assert tombstones()[0]["content"]["replacement_room"] == successor
    sender = tombstones()[0]["sender"]
    assert scene.guest.join(successor, server_name=sender.split(":", 1)[1], via=sender.split(":", 1)[1]) == successor
    state, seen = scene.agree(successor)
    assert room in seen[state["m.room.create", ""]][4] and ("m.room.name", "") in state
    for one in (room, successor):
        scene.agree(one)


def test_changed_profiles_are_told(scene):
    room = scene.shared_room()
    for user, other in ((scene.maker, scene.guest), (scene.guest, scene.maker)):
        listener = Listener(other)
        ok(user.put(f"/profile/{enc(user.user_id)}/displayname", {"displayname": "Renamed"}))
        ok(user.put(f"/profile/{enc(user.user_id)}/avatar_url", {"avatar_url": "mxc://example.org/face"}))

        def told():
            of_user = [event["content"] for event in listener.timelines[room] if event.get("state_key") == user.user_id]
            return of_user and (of_user[-1].get("displayname"), of_user[-1].get("avatar_url")) == ("Renamed", "mxc://example.org/face")

        listener.until(told, "the new name and face")
        profile = ok(other.get(f"/profile/{enc(user.user_id)}"))
        assert (profile["displayname"], profile["avatar_url"]) == ("Renamed", "mxc://example.org/face")
    scene.agree(room)


@pytest.mark.rooms(of=[(6, "synapse"), (12, "causeway")])
def test_aliases_of_either_side_lead_to_the_room_until_they_are_deleted(scene):
    room = scene.shared_room()
    alias = f"#theirs-{scene.guest.user_id[1:].split(':')[0]}:{scene.away.name}"
    ok(scene.guest.put(f"/directory/room/{enc(alias)}", {"room_id": room}))
    told = ok(scene.maker.get(f"/directory/room/{enc(alias)}"))
    assert told["room_id"] == room and {scene.home.name, scene.away.name} & set(told["servers"])
    assert scene.home.register().join(alias) == room
    scene.maker.set_state(room, "m.room.canonical_alias", {"alias": alias})
    _, seen = scene.agree(room)
    ok(scene.guest.delete(f"/directory/room/{enc(alias)}"))
    assert scene.maker.get(f"/directory/room/{enc(alias)}").status_code == 404
    assert scene.home.register().post(f"/join/{enc(alias)}").status_code == 404
