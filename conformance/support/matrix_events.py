"""Canonical JSON, signatures, hashes and events of all room versions, written from the specification and from nothing of Causeway's."""

import base64
import copy
import hashlib
import json

import nacl.signing


def canonical(value):
    """appendices#canonical-json. Values that it does not allow are written as Python writes them, for those who want to send them."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def base64_of(data):
    return base64.b64encode(data).decode().rstrip("=")


class SigningKey:
    def __init__(self, key_id="ed25519:k1"):
        self.id = key_id
        self._key = nacl.signing.SigningKey.generate()
        self.public = base64_of(bytes(self._key.verify_key))

    def sign(self, data):
        return base64_of(self._key.sign(data).signature)


def without(value, *keys):
    return {key: member for key, member in value.items() if key not in keys}


def sign_json(value, server, key):
    """appendices#signing-json"""
    value.setdefault("signatures", {}).setdefault(server, {})[key.id] = key.sign(canonical(without(value, "signatures", "unsigned")))
    return value


# rooms/v1#redactions, and how later versions change them: 6, 8, 9, 11
_TOP = {"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events", "auth_events", "origin_server_ts"}
_TOP_10 = _TOP | {"prev_state", "origin", "membership"}
_LEVELS = {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}


def _kept_content(event, number):
    content = event.get("content")
    if not isinstance(content, dict):
        return content
    old = number < 11
    kept = {
        "m.room.member": {"membership", "join_authorised_via_users_server"} if number >= 9 else {"membership"},
        "m.room.aliases": {"aliases"} if number < 6 else set(),
        "m.room.create": {"creator"} if old else set(content),
        "m.room.join_rules": {"join_rule", "allow"} if number >= 8 else {"join_rule"},
        "m.room.power_levels": _LEVELS if old else _LEVELS | {"invite"},
        "m.room.history_visibility": {"history_visibility"},
        "m.room.redaction": set() if old else {"redacts"},
    }.get(event.get("type"), set())
    out = {key: value for key, value in content.items() if key in kept}
    if not old and event.get("type") == "m.room.member" and "signed" in content.get("third_party_invite", {}):
        out["third_party_invite"] = {"signed": content["third_party_invite"]["signed"]}
    return out


def redact(event, version):
    number = int(version)
    out = {key: value for key, value in event.items() if key in (_TOP_10 if number < 11 else _TOP)}
    if "content" in out:
        out["content"] = _kept_content(event, number)
    return copy.deepcopy(out)


def content_hash(event):
    return base64_of(hashlib.sha256(canonical(without(event, "unsigned", "signatures", "hashes"))).digest())


def reference_hash(event, version):
    return hashlib.sha256(canonical(without(redact(event, version), "signatures", "unsigned"))).digest()


def event_id(event, version):
    if version in ("1", "2"):
        return event["event_id"]
    encode = base64.b64encode if version == "3" else base64.urlsafe_b64encode
    return "$" + encode(reference_hash(event, version)).decode().rstrip("=")


def cited_ids(event, key):
    """Of prev_events or auth_events, which in versions 1 and 2 are pairs of an ID and a hash."""
    return [cited if isinstance(cited, str) else cited[0] for cited in event[key]]


def sign_event(event, version, server, key):
    signature = key.sign(canonical(without(redact(event, version), "signatures", "unsigned")))
    event.setdefault("signatures", {}).setdefault(server, {})[key.id] = signature
    return event


def seal(event, version, server, key):
    """Adds hash and signature."""
    event["hashes"] = {"sha256": content_hash(event)}
    return sign_event(event, version, server, key)


def auth_keys(event):
    """server-server-api#auth-events-selection: the keys of the state that the event is to cite, the create event aside."""
    keys = [("m.room.power_levels", ""), ("m.room.member", event["sender"])]
    if event["type"] == "m.room.member":
        keys.append(("m.room.member", event["state_key"]))
        if event["content"].get("membership") in ("join", "invite", "knock"):
            keys.append(("m.room.join_rules", ""))
        if "join_authorised_via_users_server" in event["content"]:
            keys.append(("m.room.member", event["content"]["join_authorised_via_users_server"]))
    return list(dict.fromkeys(keys))
