"""The clients of a run. Writers ask for events and remember what they were promised; syncers follow /sync."""

import http.client
import random
import threading
import time

from connection import Connection, GivenUp, Refused, path_of
from verify import Chain

STATE_TYPE = "org.example.counter"
DATA_TYPE = "org.example.data"


class Client(threading.Thread):
    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            try:
                self.step()
            except GivenUp:
                pass
            except Refused as refusal:
                self.history.refusals.append(f"{self.name} was refused: {refusal}")
                time.sleep(0.2)

    def end(self):
        self.ended.set()


class Writer(Client):
    """Sends one request after the other. Some it leaves without waiting for the answer, and some it never repeats."""

    def __init__(self, history, user, server_index, rooms, seed):
        super().__init__(user.user_id)
        self.history, self.user, self.server, self.rooms = history, user.user_id, server_index, rooms
        self.connection = Connection(user.server, user.token)
        self.random = random.Random(seed)
        self.count = 0
        self.mine = {room: [] for room in rooms}  # acknowledged messages, to redact and to read

    def step(self):
        actions = [(self.message, 60), (self.redaction, 5), (self.state, 8), (self.receipt, 9), (self.account_data, 8), (self.typing, 10)]
        [action] = self.random.choices([action for action, _ in actions], [weight for _, weight in actions])
        action(self.random.choice(self.rooms))
        time.sleep(self.random.uniform(0, 0.1))

    def patience(self):
        """How long to go on, and how long to wait for the first answer. For requests with a transaction identifier alone: others
        may rightly be done late, after what was asked for next."""
        mood = self.random.random()
        if mood < 0.03:
            return {"patience": 0, "first_timeout": self.random.uniform(0.001, 0.05)}
        if mood < 0.08:
            return {"first_timeout": self.random.uniform(0.001, 0.05)}
        return {}

    def next_marker(self):
        self.count += 1
        return f"{self.user.split(':')[0][1:]}-{self.server}-{self.count}"

    def send(self, kind, room, path, content, marker, target=None, **patience):
        send = self.history.begin(kind, self.server, self.user, room, marker, target)
        send.event_id = self.connection.until_answered("PUT", path, content, **patience)["event_id"]
        return send

    def message(self, room):
        marker = self.next_marker()
        content = {"msgtype": "m.text", "body": marker, "marker": marker}
        send = self.send("message", room, path_of("rooms", room, "send", "m.room.message", marker), content, marker, **self.patience())
        self.mine[room].append(send.event_id)

    def redaction(self, room):
        if len(self.mine[room]) < 3:
            return
        target = self.mine[room].pop(self.random.randrange(len(self.mine[room]) - 1))
        marker = self.next_marker()
        content = {"reason": marker, "marker": marker}
        self.send("redaction", room, path_of("rooms", room, "redact", target, marker), content, marker, target, **self.patience())

    def state(self, room):
        marker = self.next_marker()
        register, index = self.history.try_value(self.server, ("state", self.user, room), marker)
        content = {"marker": marker}
        self.send("state", room, path_of("rooms", room, "state", STATE_TYPE, self.user), content, marker)
        self.history.acknowledge_value(register, index)

    def set_value(self, key, value, method, path, body):
        register, index = self.history.try_value(self.server, key, value)
        self.connection.until_answered(method, path, body)
        self.history.acknowledge_value(register, index)

    def receipt(self, room):
        if self.mine[room]:
            event = self.mine[room][-1]
            self.set_value(("receipt", self.user, room), event, "POST", path_of("rooms", room, "receipt", "m.read", event), {})

    def account_data(self, room):
        marker = self.next_marker()
        if self.random.random() < 0.5:
            self.set_value(("account_data", self.user, "", DATA_TYPE), marker, "PUT", path_of("user", self.user, "account_data", DATA_TYPE), {"marker": marker})
        else:
            path = path_of("user", self.user, "rooms", room, "account_data", DATA_TYPE)
            self.set_value(("account_data", self.user, room, DATA_TYPE), marker, "PUT", path, {"marker": marker})

    def typing(self, room):
        typing = self.random.random() < 0.7
        self.connection.until_answered("PUT", path_of("rooms", room, "typing", self.user), {"typing": typing, "timeout": 2000}, **self.patience())


class Roamer(Writer):
    """Leaves rooms and comes back, and makes rooms."""

    def step(self):
        if self.random.random() < 0.1:
            self.make_room()
        else:
            self.wander(self.random.choice(self.rooms))
        time.sleep(self.random.uniform(0, 0.3))

    def wander(self, room):
        key = ("membership", self.user, room)
        register = self.history.registers.get(key)
        now = register.values[-1] if register else "join"
        wish = "leave" if now == "join" else "join"
        register, index = self.history.try_value(self.server, key, wish)
        # Repeated until answered: what a leave or join that was never answered did can't be known before the next one.
        self.connection.until_answered("POST", path_of("rooms", room, wish), {})
        self.history.acknowledge_value(register, index)

    def make_room(self):
        name = self.next_marker()
        patience = 0 if self.random.random() < 0.5 else 120
        reply = self.connection.until_answered("POST", path_of("createRoom"), {"name": name}, patience=patience)
        self.history.created_rooms.append((self.server, self.user, reply["room_id"], name))


class Syncer(Client):
    """Another device of a writer's user. What it knows goes from reply to reply, whatever happens in between."""

    def __init__(self, history, user, limit, timeout_ms, state_after):
        super().__init__(user.user_id)
        self.history, self.limit, self.timeout_ms, self.state_after = history, limit, timeout_ms, state_after
        self.connection = Connection(user.server, user.token)
        self.chain = Chain(user.user_id)
        self.since = None
        self.replies = 0

    def step(self):
        self.sync(self.timeout_ms)
        if self.timeout_ms == 0:
            time.sleep(0.2)

    def sync(self, timeout_ms):
        """False when there was nothing new."""
        path = f"/_matrix/client/v3/sync?timeout={timeout_ms}&filter=%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:{self.limit}%7D%7D%7D"
        if self.state_after:
            path += "&use_state_after=true"
        if self.since:
            path += f"&since={self.since}"
        try:
            status, reply = self.connection.once("GET", path, timeout=timeout_ms / 1000 + 30)
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.1)
            return True
        if status >= 500:
            time.sleep(0.1)
            return True
        if status != 200:
            raise Refused(f"/sync since {self.since}: {status} {reply}")
        # Read whole before any of it counts: a crash while a gap is filled leaves the chain where it was.
        rooms = {room: (part, self.missed(room, part["timeline"])) for room, part in reply.get("rooms", {}).get("join", {}).items()}
        for room, (part, missed) in rooms.items():
            self.take_room(room, part, missed)
        for event in reply.get("account_data", {}).get("events", []):
            self.chain.account_data["", event["type"]] = event["content"].get("marker")
        self.since = reply["next_batch"]
        self.replies += 1
        return bool(reply.get("rooms") or reply.get("account_data"))

    def missed(self, room, timeline):
        """The events between the last reply and a limited timeline, oldest first."""
        if not timeline.get("limited") or not self.since:
            return []
        events, at = [], timeline["prev_batch"]
        while at:
            path = path_of("rooms", room, "messages") + f"?dir=b&limit=100&from={at}&to={self.since}"
            reply = self.connection.until_answered("GET", path)
            events += [event["event_id"] for event in reply["chunk"]]
            at = reply.get("end")
        return events[::-1]

    def take_room(self, room, part, missed):
        chain = self.chain
        chain.rooms.setdefault(room, []).extend(missed + [event["event_id"] for event in part["timeline"]["events"]])
        state = chain.state.setdefault(room, {})
        told = part["state_after"]["events"] if self.state_after else part.get("state", {}).get("events", []) + part["timeline"]["events"]
        for event in told:
            if "state_key" in event:
                state[event["type"], event["state_key"]] = event["event_id"]
        for event in part.get("account_data", {}).get("events", []):
            chain.account_data[room, event["type"]] = event["content"].get("marker")
        for event in part.get("ephemeral", {}).get("events", []):
            if event["type"] == "m.receipt":
                for event_id, types in event["content"].items():
                    for user in types.get("m.read", {}):
                        chain.receipts[room, user] = event_id

    def catch_up(self):
        """After the thread has ended: everything that is left."""
        for _ in range(200):
            if not self.sync(0):
                return
