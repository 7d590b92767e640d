"""One server, or the way between them, is gone for a while; the other goes on."""

import contextlib

import pytest

from scene import Listener, freeze, thaw, has_event
from waiting import wait_until

pytestmark = pytest.mark.rooms(of=[(10, "synapse"), (12, "causeway")])
GONE = pytest.mark.parametrize("gone", ["home", "away"])


@contextlib.contextmanager
def stopped(server):
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextlib.contextmanager
def frozen(server):
    freeze(server)
    try:
        yield
    finally:
        thaw(server)


@contextlib.contextmanager
def cut(*servers):
    for server in servers:
        server.gate.close()
    try:
        yield
    finally:
        for server in servers:
            server.gate.open()


def goes_on(user, room, what):
    """Thirty messages, and state among them."""
    sent = [user.send(room, f"{what} {number}") for number in range(30)]
    sent.insert(10, user.set_state(room, "org.example.note", {"note": what}, user.user_id))
    return sent


@GONE
@pytest.mark.parametrize("how", [stopped, frozen])
def test_who_was_gone_catches_up_and_its_users_are_told(scene, gone, how):
    absent, present = (scene.maker, scene.guest) if gone == "home" else (scene.guest, scene.maker)
    room = scene.shared_room(power_level_content_override={"state_default": 0})
    scene.agree(room)
    listener = Listener(absent)
    with how(absent.server):
        sent = goes_on(present, room, "meanwhile")
    back = absent.send(room, "back again")
    listener.until_told(room, *sent)
    wait_until(lambda: has_event(present, room, back), pause=0.1)
    scene.agree(room)


def test_both_sides_went_on_while_they_were_cut_off_and_are_one_room_again(scene):
    room = scene.shared_room(power_level_content_override={"state_default": 0})
    scene.agree(room)
    users = (scene.maker, scene.guest)
    listeners = [Listener(user) for user in users]
    with cut(scene.home, scene.away):
        sent = [event for user in users for event in goes_on(user, room, "alone")]
        sent.append(scene.maker.set_state(room, "org.example.note", {"note": "the maker's"}))
        sent.append(scene.guest.set_state(room, "org.example.note", {"note": "the guest's"}))
    sent += [user.send(room, "together again") for user in users]
    for listener in listeners:
        listener.until_told(room, *sent)
    scene.agree(room)
