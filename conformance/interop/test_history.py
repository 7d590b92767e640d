"""What was there before a server came into the room."""

import pytest

from fake_homeserver import enc
from scene import at_once, has_event, visible, wait_for_members
from servers import ok
from waiting import wait_until

BOTH_NEW = [(11, "synapse"), (12, "synapse"), (12, "causeway"), (10, "causeway")]


def test_history_of_before_the_join_is_paged_through(scene):
    """More of it than one request for history brings, with state and redactions in it."""
    room = scene.room(preset="public_chat")
    sent = []
    for number in range(120):
        sent.append(scene.maker.send(room, f"{number}"))
        if number % 20 == 7:
            sent.append(scene.maker.set_state(room, "m.room.topic", {"topic": f"{number}"}))
            sent.append(ok(scene.maker.put(f"/rooms/{enc(room)}/redact/{enc(sent[-3])}/{number}", {}))["event_id"])
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    _, seen = scene.agree(room)
    assert set(sent) <= seen.keys() and sum(content == "{}" for _, _, _, _, content, _ in seen.values()) >= 6
    in_order = [event for event in reversed(visible(scene.guest, room)) if event in set(sent)]
    assert in_order == sent, "not in the order in which it was sent"


@pytest.mark.rooms(of=[(10, "causeway"), (11, "synapse")])
def test_history_that_is_for_members_alone_is_not_shown_to_who_came_later(scene):
    room = scene.room(preset="public_chat", initial_state=[{"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}])
    before = [scene.maker.send(room, f"{number}") for number in range(5)]
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    after = [scene.maker.send(room, "welcome"), scene.guest.send(room, "hello")]
    wait_until(lambda: all(has_event(user, room, event) for user in (scene.maker, scene.guest) for event in after), pause=0.1)
    assert set(before + after) <= visible(scene.maker, room).keys()
    assert set(after) <= visible(scene.guest, room).keys() and not set(before) & visible(scene.guest, room).keys()
    ok(scene.guest.post(f"/rooms/{enc(room)}/leave"))
    wait_for_members(room, {scene.maker.user_id}, scene.maker)
    missed = scene.maker.send(room, "while one was out")
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    back = scene.guest.send(room, "back")
    wait_until(lambda: has_event(scene.maker, room, back), pause=0.1)
    assert missed in visible(scene.maker, room) and missed not in visible(scene.guest, room)


@pytest.mark.rooms(of=BOTH_NEW)
def test_a_private_room_goes_on_after_its_past_was_read_and_both_sides_wrote_at_once(scene):
    room = scene.room(preset="private_chat", invite=[scene.guest.user_id])
    wait_until(lambda: room in scene.guest.sync().get("rooms", {}).get("invite", {}))
    scene.guest.join(room, server_name=scene.home.name, via=scene.home.name)
    visible(scene.guest, room)
    levels = ok(scene.maker.get(f"/rooms/{enc(room)}/state/m.room.power_levels"))
    scene.maker.set_state(room, "m.room.power_levels", {**levels, "users": {**levels["users"], scene.guest.user_id: 50}})
    scene.agree(room)
    for turn in range(3):
        at_once(lambda: scene.maker.set_state(room, "m.room.topic", {"topic": f"the maker's {turn}"}),
                lambda: scene.guest.set_state(room, "m.room.topic", {"topic": f"the guest's {turn}"}))
        scene.agree(room)
    other = scene.shared_room()
    scene.guest.send(other, "and in other rooms, too")
    scene.agree(other)
