"""What the clients of a run asked for and what they were told: the promises that the servers are held to."""

import threading
from dataclasses import dataclass, field


@dataclass
class Send:
    """A request for one event. `event_id` is set once it was acknowledged; `marker` stands in the event's content."""

    number: int
    kind: str  # message, state, redaction, membership
    server: int
    user: str
    room: str
    marker: str
    event_id: str | None = None
    target: str | None = None  # of a redaction
    life: int = 0  # a restored backup begins another


@dataclass
class Register:
    """A place that holds one value, written by one client after the other value: what was tried and how far it was acknowledged."""

    server: int
    values: list = field(default_factory=list)
    acknowledged: int = -1  # index of the last value that was
    federated: bool = False  # the other servers owe it too

    def allowed(self):
        """The last acknowledged value, or one that was tried after it and not answered."""
        return self.values[max(self.acknowledged, 0):] + ([None] if self.acknowledged < 0 else [])


class History:
    """Filled by many threads."""

    def __init__(self):
        self.sends = []
        self.registers = {}  # by (what, user, place...)
        self.created_rooms = []  # (server, user, room, name) of acknowledged createRoom requests
        self.refusals = []  # sentences: requests that should have worked
        self.life = 0
        self._lock = threading.Lock()

    def begin(self, kind, server, user, room, marker, target=None):
        with self._lock:
            send = Send(len(self.sends), kind, server, user, room, marker, None, target, self.life)
            self.sends.append(send)
            return send

    def try_value(self, server, key, value):
        with self._lock:
            register = self.registers.setdefault(key, Register(server, federated=key[0] == "receipt"))
            register.values.append(value)
            return register, len(register.values) - 1

    @staticmethod
    def acknowledge_value(register, index):
        register.acknowledged = max(register.acknowledged, index)

    def acknowledged(self, room=None):
        return [send for send in list(self.sends) if send.event_id and (room is None or send.room == room)]
