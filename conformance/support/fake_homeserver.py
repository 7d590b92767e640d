"""A homeserver that does what a test scripts, right or wrong: it serves its keys and rooms on loopback and sends signed requests."""

import itertools
import json
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

import requests

from matrix_events import SigningKey, auth_keys, base64_of, canonical, cited_ids, event_id, reference_hash, seal, sign_json
from servers import free_port

_numbers = itertools.count(1)
WEEK_MS = 7 * 24 * 3600 * 1000


def enc(text):
    return quote(text, safe="")


def now_ms():
    return int(time.time() * 1000)


class Asked:
    """A request that came in: method, path (without the prefix /_matrix/federation), query, body, and groups of the route."""

    def __init__(self, method, target, headers, body):
        parts = urlsplit(target)
        self.method, self.target, self.headers, self.raw = method, target, headers, body
        self.path = parts.path.removeprefix("/_matrix/federation")
        self.query = parse_qs(parts.query)
        self.body = json.loads(body) if body else None
        self.parameters = ()

    def __repr__(self):
        return f"{self.method} {self.path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        asked = Asked(self.command, self.path, self.headers, self.rfile.read(length) if length else b"")
        status, reply = self.server.fake.answer(asked)
        body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = _answer


class _HttpsServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass  # peers may go as they please


class FakeHomeserver:
    """`name` is localhost and its port. `on` scripts replies; whatever is not scripted is 404 M_UNRECOGNIZED, but for keys and for
    transactions, which are accepted."""

    def __init__(self, authority):
        self.http = _HttpsServer(("127.0.0.1", free_port()), _Handler)
        self.http.fake = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.path("server.pem"), authority.path("server.key"))
        # The handshake is the connection's own thread's business.
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.name = f"localhost:{self.http.server_address[1]}"
        self.key = SigningKey()
        self.valid_until = now_ms() + WEEK_MS
        self.old_keys = {}  # id: {"key": ..., "expired_ts": ...}
        self.asked = []
        self._changed = threading.Condition()
        self.closing = threading.Event()
        self._routes = []
        self.on("GET", "/_matrix/key/v2/server", lambda asked: (200, self.keys()))
        self.on("PUT", "/v1/send/([^/]*)", lambda asked: (200, {"pdus": {}}))
        self.session = requests.Session()
        self.session.trust_env = False  # no CA of the environment, nor its proxies
        self.session.verify = authority.path("ca.pem")
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.session.close()

    # --- as a server

    def on(self, method, pattern, reply):
        """`reply`: what to answer, (status, body) or a function of Asked. Later ones go first. Patterns are of percent-decoded paths."""
        self._routes.insert(0, (method, re.compile(pattern), reply))

    def hang(self, asked):
        """A reply that does not come."""
        self.closing.wait()
        return 503, {}

    def answer(self, asked):
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
        for method, pattern, reply in list(self._routes):
            match = pattern.fullmatch(unquote(asked.path))
            if method == asked.method and match:
                asked.parameters = match.groups()
                return reply(asked) if callable(reply) else reply
        return 404, {"errcode": "M_UNRECOGNIZED", "error": "not scripted"}

    def was_asked(self, pattern):
        return [asked for asked in list(self.asked) if re.search(pattern, unquote(asked.path))]

    def wait_until_asked(self, pattern, times=1, seconds=30):
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.was_asked(pattern)) >= times, seconds)
        assert enough, f"{pattern} was asked {len(self.was_asked(pattern))} times; all: {self.asked}"
        return self.was_asked(pattern)

    def received_pdus(self):
        return [pdu for asked in self.was_asked("^/v1/send/") for pdu in asked.body.get("pdus", [])]

    def keys(self, signed=True):
        document = {"server_name": self.name, "valid_until_ts": self.valid_until, "verify_keys": {self.key.id: {"key": self.key.public}},
                    "old_verify_keys": self.old_keys}
        return sign_json(document, self.name, self.key) if signed else document

    # --- as a client of other servers

    def x_matrix(self, method, uri, destination, content, key=None, origin=None, signed_for=""):
        """`signed_for`: a destination that is signed instead of the one that is told, or None for none."""
        signed = {"method": method, "uri": uri, "origin": origin or self.name}
        if signed_for is not None:
            signed["destination"] = signed_for or destination
        if content is not None:
            signed["content"] = content
        key = key or self.key
        told = "" if destination is None else f'destination="{destination}",'
        return f'X-Matrix origin="{origin or self.name}",{told}key="{key.id}",sig="{key.sign(canonical(signed))}"'

    def request(self, server, method, path, body=None, authorization=None, raw=None, **parameters):
        """`path` begins after /_matrix/federation. `authorization` replaces the header that would be right; "" leaves it out."""
        uri = path if path.startswith("/_") else "/_matrix/federation" + path
        if parameters:
            uri += "?" + "&".join(f"{enc(key)}={enc(str(one))}" for key, value in parameters.items()
                                  for one in (value if isinstance(value, list) else [value]))
        if authorization is None:
            authorization = self.x_matrix(method, uri, server.name, body)
        headers = {"Content-Type": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        return self.session.request(method, server.federation_url + uri, data=data, headers=headers, timeout=60)

    def transaction(self, server, pdus=(), edus=(), transaction=None, **options):
        body = {"origin": self.name, "origin_server_ts": now_ms(), "pdus": list(pdus), "edus": list(edus)}
        return self.request(server, "PUT", f"/v1/send/{transaction or f't{next(_numbers)}'}", body, **options)

    def send(self, server, *pdus):
        """The results by event ID."""
        reply = self.transaction(server, pdus)
        assert reply.status_code == 200, reply.text
        return reply.json()["pdus"]

    def edu(self, server, kind, content):
        reply = self.transaction(server, edus=[{"edu_type": kind, "content": content}])
        assert reply.status_code == 200, reply.text

    # --- rooms

    def user(self, name="mallory"):
        return f"@{name}:{self.name}"

    def make_room(self, version="12", creator=None):
        """A public room of this server, which it serves to whoever asks."""
        room = Room(self, version)
        room.create(creator or self.user())
        room.serve()
        return room

    def join(self, server, room_id, user=None):
        """Joins through `server`; returns the room with the state that came."""
        user = user or self.user()
        reply = self.request(server, "GET", f"/v1/make_join/{enc(room_id)}/{enc(user)}", ver=[str(number) for number in range(1, 13)])
        assert reply.status_code == 200, reply.text
        made = reply.json()
        room = Room(self, made["room_version"], room_id)
        event = made["event"]
        event["origin_server_ts"] = now_ms()
        event = room.resealed(event)
        reply = self.request(server, "PUT", f"/v2/send_join/{enc(room_id)}/{enc(room.id_of(event))}", event)
        assert reply.status_code == 200, reply.text
        for known in reply.json()["auth_chain"]:
            room.events[room.id_of(known)] = known
        for known in reply.json()["state"]:
            room.add(known)
        room.add(event)
        room.join_event = event
        return room


class Room:
    """A room as its fake server sees it: one line of events, each on the one before."""

    def __init__(self, server, version, room_id=None):
        self.server, self.version, self.id = server, version, room_id
        self.events, self.state, self.last = {}, {}, None
        self.order = []

    def id_of(self, event):
        return event_id(event, self.version)

    def add(self, event):
        """The newest event of the room from now on. Returns its ID."""
        made = self.id_of(event)
        self.events[made] = event
        self.order.append(made)
        self.last = made
        if "state_key" in event:
            self.state[event["type"], event["state_key"]] = made
        return made

    def create(self, creator):
        # Two rooms made alike in the same millisecond would be one from version 12 on.
        content = {"room_version": self.version, "org.example.number": next(_numbers)}
        if int(self.version) < 11:
            content["creator"] = creator
        if self.version != "12":
            self.id = f"!room{next(_numbers)}:{self.server.name}"
        create = self.event("m.room.create", content, creator, "", room_id=self.id)
        if self.version == "12":
            self.id = "!" + self.id_of(create)[1:]
        self.add(create)
        self.add(self.event("m.room.member", {"membership": "join"}, creator, creator))
        users = {} if self.version == "12" else {creator: 100}
        self.add(self.event("m.room.power_levels", {"users": users}, creator, ""))
        self.add(self.event("m.room.join_rules", {"join_rule": "public"}, creator, ""))
        self.add(self.event("m.room.history_visibility", {"history_visibility": "shared"}, creator, ""))

    def event(self, kind, content, sender=None, state_key=None, **members):
        """A signed event on the newest. `members` replace what it would have; None leaves it out."""
        event = {"type": kind, "content": content, "sender": sender or self.server.user(), "room_id": self.id,
                 "origin_server_ts": now_ms(), "prev_events": self.cite([self.last] if self.last else []),
                 "depth": self.events[self.last]["depth"] + 1 if self.last else 1}
        if state_key is not None:
            event["state_key"] = state_key
        if self.version in ("1", "2"):
            event["event_id"] = f"$event{next(_numbers)}:{self.server.name}"
        event["auth_events"] = self.cite(self.auth_events(event))
        event.update(members)
        event = {key: value for key, value in event.items() if value is not None}
        return seal(event, self.version, self.server.name, self.server.key)

    def resealed(self, event, by=None):
        """An event that was changed, hashed and signed anew; by another fake server, if it is that one's."""
        signer = by or self.server
        if self.version in ("1", "2"):
            event = {"event_id": f"$event{next(_numbers)}:{signer.name}", **event}
        return seal({**event, "signatures": {}}, self.version, signer.name, signer.key)

    def join_of(self, other):
        """A user of another fake server is in the room from now on."""
        user = other.user()
        return self.add(self.resealed(self.event("m.room.member", {"membership": "join"}, user, user), by=other))

    def cite(self, ids):
        if self.version not in ("1", "2"):
            return ids
        return [[one, {"sha256": base64_of(reference_hash(self.events[one], self.version))}] for one in ids]

    def auth_events(self, event):
        if event["type"] == "m.room.create":
            return []
        keys = auth_keys(event) if self.version == "12" else [("m.room.create", ""), *auth_keys(event)]
        return [self.state[key] for key in keys if key in self.state]

    def message(self, body="hello", **members):
        return self.event("m.room.message", {"msgtype": "m.text", "body": body}, **members)

    def messages(self, count, body="message"):
        """So many, each on the one before, and now part of the room."""
        made = []
        for number in range(count):
            made.append(self.message(f"{body} {number}"))
            self.add(made[-1])
        return made

    def auth_chain(self, events):
        found, waiting = {}, [cited for event in events for cited in cited_ids(event, "auth_events")]
        while waiting:
            cited = waiting.pop()
            if cited not in found:
                found[cited] = self.events[cited]
                waiting += cited_ids(found[cited], "auth_events")
        return found

    def state_events(self):
        return [self.events[made] for made in self.state.values()]

    def state_before(self, made):
        """The IDs of the state before an event of this room."""
        state = {}
        for earlier in itertools.takewhile(lambda other: other != made, self.order):
            event = self.events[earlier]
            if "state_key" in event:
                state[event["type"], event["state_key"]] = earlier
        return list(state.values())

    # --- what other servers ask; tests replace what they want to be wrong

    def serve(self):
        on, here = self.server.on, re.escape(self.id)
        on("GET", f"/v1/make_join/{here}/(.*)", self.make_join)
        on("PUT", f"/v2/send_join/{here}/(.*)", self.send_join)
        on("GET", "/v1/event/(.*)", self.get_event)
        on("GET", f"/v1/event_auth/{here}/(.*)", self.event_auth)
        on("GET", f"/v1/state_ids/{here}", self.state_ids)
        on("GET", f"/v1/state/{here}", self.get_state)
        on("GET", f"/v1/backfill/{here}", self.backfill)
        on("POST", f"/v1/get_missing_events/{here}", self.missing_events)

    def make_join(self, asked):
        user = asked.parameters[0]
        event = {"type": "m.room.member", "content": {"membership": "join"}, "sender": user, "state_key": user, "room_id": self.id,
                 "origin_server_ts": now_ms(), "prev_events": self.cite([self.last]), "depth": self.events[self.last]["depth"] + 1}
        event["auth_events"] = self.cite(self.auth_events(event))
        return 200, {"room_version": self.version, "event": event}

    def send_join(self, asked):
        state = self.state_events()
        reply = {"state": state, "auth_chain": list(self.auth_chain([*state, asked.body]).values()), "event": asked.body,
                 "members_omitted": False, "origin": self.server.name}
        self.add(asked.body)
        return 200, reply

    def get_event(self, asked):
        event = self.events.get(asked.parameters[0])
        if not event:
            return 404, {"errcode": "M_NOT_FOUND", "error": "no such event"}
        return 200, {"origin": self.server.name, "origin_server_ts": now_ms(), "pdus": [event]}

    def event_auth(self, asked):
        if asked.parameters[0] not in self.events:
            return 404, {"errcode": "M_NOT_FOUND", "error": "no such event"}
        return 200, {"auth_chain": list(self.auth_chain([self.events[asked.parameters[0]]]).values())}

    def state_ids(self, asked):
        if asked.query["event_id"][0] not in self.order:
            return 404, {"errcode": "M_NOT_FOUND", "error": "no such event"}
        ids = self.state_before(asked.query["event_id"][0])
        return 200, {"pdu_ids": ids, "auth_chain_ids": list(self.auth_chain([self.events[one] for one in ids]))}

    def get_state(self, asked):
        events = [self.events[one] for one in self.state_before(asked.query["event_id"][0])]
        return 200, {"pdus": events, "auth_chain": list(self.auth_chain(events).values())}

    def _walk_back(self, start, limit, stop=()):
        out, waiting = [], list(start)
        while waiting and len(out) < limit:
            made = waiting.pop(0)
            if made in self.events and made not in stop and made not in out:
                out.append(made)
                waiting += cited_ids(self.events[made], "prev_events")
        return [self.events[made] for made in out]

    def backfill(self, asked):
        events = self._walk_back(asked.query["v"], int(asked.query["limit"][0]))
        return 200, {"origin": self.server.name, "origin_server_ts": now_ms(), "pdus": events}

    def missing_events(self, asked):
        start = [prev for made in asked.body["latest_events"] if made in self.events for prev in cited_ids(self.events[made], "prev_events")]
        events = self._walk_back(start, asked.body.get("limit", 10), asked.body["earliest_events"])
        return 200, {"events": events[::-1]}
