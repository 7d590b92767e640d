"""What users of two servers of different make tell each other."""

import time

import pytest

from fake_homeserver import enc
from scene import Listener, at_once, has_event
from servers import ok
from waiting import wait_until

EACH = 100


def relate(user, room, kind, event, content=None, **more):
    """Sends what refers to the event: a reaction, or a message with this content."""
    content = {**(content or {}), "m.relates_to": {"rel_type": kind, "event_id": event, **more}}
    kind = "m.room.message" if "body" in content else "m.reaction"
    return ok(user.put(f"/rooms/{enc(room)}/send/{kind}/{time.time_ns()}", content))["event_id"]


def text(body):
    return {"msgtype": "m.text", "body": body}


@pytest.mark.rooms(of=[(10, "synapse"), (12, "causeway")])
def test_two_hundred_messages_from_both_sides_at_once_reach_everybody_once(scene):
    room = scene.shared_room()
    users = (scene.maker, scene.guest)
    listeners = [Listener(user) for user in users]
    sent = at_once(*(lambda user=user: [user.send(room, f"{number}") for number in range(EACH)] for user in users))
    for listener in listeners:
        listener.until_told(room, *sent[0], *sent[1])
        for own in sent:
            assert [event for event in listener.told(room) if event in own] == own, "not in the order in which one user sent them"
    _, seen = scene.agree(room)
    assert set(sent[0] + sent[1]) <= seen.keys()


def test_edits_reactions_and_redactions_arrive(scene):
    room = scene.shared_room()
    for user, other in ((scene.maker, scene.guest), (scene.guest, scene.maker)):
        listener = Listener(other)
        original = user.send(room, "first")
        edit = relate(user, room, "m.replace", original, {**text("* second"), "m.new_content": text("second")})
        listener.until_told(room, original, edit)
        reaction = relate(other, room, "m.annotation", original, key="+1")
        reply = relate(other, room, "m.thread", original, text("in a thread"))
        unwanted = user.send(room, "unwanted")
        secret = user.send(room, "secret")
        listener.until_told(room, unwanted, secret)
        Listener(user).until(lambda: has_event(user, room, reply), "the reply")
        redacted = [redact(user, room, secret), redact(other, room, reaction)]
        listener.until_told(room, *redacted)
        _, seen = scene.agree(room)
        assert all(event in seen for event in (original, edit, reaction, reply, unwanted, secret, *redacted))
        assert seen[secret][4] == seen[reaction][4] == "{}" and "second" in seen[edit][4] and "thread" in seen[reply][4]
    moderated = scene.guest.send(room, "moderated")
    Listener(scene.maker).until(lambda: has_event(scene.maker, room, moderated), "what is to be redacted")
    redact(scene.maker, room, moderated)
    refused = scene.guest.put(f"/rooms/{enc(room)}/redact/{enc(scene.maker.send(room))}/r", {})
    assert refused.status_code in (403, 404), "a member without the power to"
    wait_until(lambda: scene.agree(room)[1][moderated][4] == "{}")


def redact(user, room, event):
    return ok(user.put(f"/rooms/{enc(room)}/redact/{enc(event)}/redact-{event[1:9]}", {"reason": "because"}))["event_id"]


def test_typing_and_receipts_are_told(scene):
    room = scene.shared_room()
    for user, other in ((scene.maker, scene.guest), (scene.guest, scene.maker)):
        listener = Listener(other)
        ephemeral = listener.ephemeral[room]
        message = other.send(room, "read this")
        Listener(user).until(lambda: has_event(user, room, message), "the message")
        ok(user.put(f"/rooms/{enc(room)}/typing/{enc(user.user_id)}", {"typing": True, "timeout": 30_000}))
        listener.until(lambda: ephemeral.get("m.typing") == {"user_ids": [user.user_id]}, "who types")
        ok(user.put(f"/rooms/{enc(room)}/typing/{enc(user.user_id)}", {"typing": False}))
        listener.until(lambda: ephemeral.get("m.typing") == {"user_ids": []}, "that nobody types")
        ok(user.post(f"/rooms/{enc(room)}/receipt/m.read/{enc(message)}"))
        listener.until(lambda: user.user_id in ephemeral.get("m.receipt", {}).get(message, {}).get("m.read", {}), "the receipt")
