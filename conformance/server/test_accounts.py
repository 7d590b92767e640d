"""Versions, discovery, registration, login, devices, profiles, account data, filters, push rules."""

import hashlib
import hmac

import pytest
import requests

from servers import SHARED_SECRET, Client, error, ok

DUMMY = {"type": "m.login.dummy"}


def login(server, name, password="correct horse", **extra):
    body = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": name}, "password": password, **extra}
    return server.anonymous().post("/login", body)


# --- discovery ---------------------------------------------------------------------------------------------------------------


def named_versions(server):
    return ok(server.anonymous().get("/_matrix/client/versions"))["versions"]


def test_versions_name_those_that_client_libraries_need(server):
    assert {"r0.6.1", "v1.1", "v1.2"} <= set(named_versions(server))


# What clients do without asking further once they have seen a version (matrix-js-sdk, matrix-rust-sdk and matrix-dart-sdk).
TAKEN_FOR_GRANTED = {
    2: ("GET", "/_matrix/client/v1/register/m.login.registration_token/validity"),
    3: ("GET", "/_matrix/client/v1/rooms/!room/relations/$event"),
    4: ("GET", "/_matrix/client/v1/rooms/!room/threads"),
    6: ("GET", "/_matrix/client/v1/rooms/!room/timestamp_to_event"),
    7: ("POST", "/_matrix/media/v1/create"),
    11: ("GET", "/_matrix/client/v1/media/config"),
    15: ("GET", "/_matrix/client/v1/auth_metadata"),
}


def test_versions_name_none_whose_features_clients_would_not_find(server, alice):
    newest = max(int(version.removeprefix("v1.")) for version in named_versions(server) if version.startswith("v1."))
    missing = [minor for minor, (verb, path) in TAKEN_FOR_GRANTED.items() if alice.request(verb, path).json().get("errcode") == "M_UNRECOGNIZED"]
    own_field = alice.put(f"/profile/{alice.user_id}/org.example.field", {"org.example.field": "x"})
    missing += [16] if own_field.status_code != 200 else []
    assert newest < min(missing, default=1000), f"v1.{newest} is named, but what v1.{min(missing)} brought is not there"


def test_well_known_is_404_unless_configured(server):
    for name in ("client", "server"):
        error(server.anonymous().get(f"/.well-known/matrix/{name}"), 404, "M_NOT_FOUND")


def test_capabilities_tell_the_room_versions(alice):
    versions = ok(alice.get("/capabilities"))["capabilities"]["m.room_versions"]
    assert versions["default"] == "12" and versions["available"] == {str(number): "stable" for number in range(1, 13)}
    error(alice.server.anonymous().get("/capabilities"), 401, "M_MISSING_TOKEN")


# --- registration ------------------------------------------------------------------------------------------------------------


def test_registration_asks_for_a_stage_first(server):
    anyone = server.anonymous()
    first = anyone.post("/register", {"username": "staged", "password": "correct horse"})
    assert first.status_code == 401
    session = first.json()["session"]
    assert {"stages": ["m.login.dummy"]} in first.json()["flows"] and "params" in first.json()
    done = ok(anyone.post("/register", {"username": "staged", "password": "correct horse", "auth": {**DUMMY, "session": session}}))
    assert done["user_id"] == f"@staged:{server.name}" and done["access_token"] and done["device_id"]


def test_registration_refuses_what_it_must(server, alice):
    anyone = server.anonymous()
    name = alice.user_id.split(":")[0][1:]
    error(anyone.post("/register", {"username": name, "password": "correct horse"}), 400, "M_USER_IN_USE")
    for bad in ("with space", "colon:", "ümlaut", "a" * 250):
        error(anyone.post("/register", {"username": bad, "password": "correct horse"}), 400, "M_INVALID_USERNAME")
    error(anyone.post("/register", "not json"), 400, "M_NOT_JSON")
    error(anyone.post("/register", {"username": 5, "auth": DUMMY}), 400, "M_BAD_JSON")
    assert anyone.post("/register", {"username": "x1", "auth": {**DUMMY, "session": "unknown"}}).status_code in (400, 401)


def test_guests_are_refused(server):
    error(server.anonymous().post("/register", {}, params={"kind": "guest"}), 403, "M_GUEST_ACCESS_FORBIDDEN")
    error(server.anonymous().post("/register", {}, params={"kind": "ghost"}), 400, "M_INVALID_PARAM")


def test_registration_without_login_gives_no_token(server):
    done = ok(server.anonymous().post("/register", {"username": "later", "password": "correct horse", "inhibit_login": True, "auth": DUMMY}))
    assert "access_token" not in done
    assert ok(login(server, "later"))["user_id"] == f"@later:{server.name}"


def test_availability_is_told(server, alice):
    anyone = server.anonymous()
    assert ok(anyone.get("/register/available", params={"username": "surely.free"})) == {"available": True}
    error(anyone.get("/register/available", params={"username": alice.user_id[1:].split(":")[0]}), 400, "M_USER_IN_USE")
    error(anyone.get("/register/available", params={"username": "not free!"}), 400, "M_INVALID_USERNAME")
    error(anyone.get("/register/available"), 400, "M_MISSING_PARAM")


def test_registration_tokens_have_a_validity(server):
    path = "/_matrix/client/v1/register/m.login.registration_token/validity"
    assert ok(server.anonymous().get(path, params={"token": "no such token"})) == {"valid": False}
    error(server.anonymous().get(path), 400, "M_MISSING_PARAM")


def shared_secret_mac(nonce, user, password, admin):
    parts = [nonce, user, password, "admin" if admin else "notadmin"]
    return hmac.new(SHARED_SECRET.encode(), "\0".join(parts).encode(), hashlib.sha1).hexdigest()


def test_shared_secret_registration_works_for_tools_in_the_field(server):
    path = "/_synapse/admin/v1/register"
    anyone = server.anonymous()
    nonce = ok(anyone.get(path))["nonce"]
    body = {"nonce": nonce, "username": "tooluser", "password": "pw", "admin": True, "mac": shared_secret_mac(nonce, "tooluser", "pw", True)}
    wrong = {**body, "mac": shared_secret_mac(nonce, "tooluser", "pw", False)}
    error(anyone.post(path, wrong), 403, "M_FORBIDDEN")
    nonce = ok(anyone.get(path))["nonce"]
    body = {**body, "nonce": nonce, "mac": shared_secret_mac(nonce, "tooluser", "pw", True)}
    made = ok(anyone.post(path, body))
    assert made["user_id"] == f"@tooluser:{server.name}" and made["access_token"]
    error(anyone.post(path, body), 400, "M_UNKNOWN")  # a nonce is good for one attempt
    error(anyone.post(path, {}), 400, "M_MISSING_PARAM")
    error(anyone.post(path, {**body, "user_type": "clown"}), 400, "M_INVALID_PARAM")


# --- login and tokens ----------------------------------------------------------------------------------------------------------


def test_login_offers_passwords(server):
    assert {"type": "m.login.password"} in ok(server.anonymous().get("/login"))["flows"]


def test_login_takes_user_ids_localparts_and_the_old_form(server):
    server.register("threeforms")
    for user in ("threeforms", f"@threeforms:{server.name}"):
        assert ok(login(server, user))["user_id"] == f"@threeforms:{server.name}"
    old = {"type": "m.login.password", "user": "threeforms", "password": "correct horse"}
    assert ok(server.anonymous().post("/login", old))["user_id"] == f"@threeforms:{server.name}"


def test_login_refuses_wrong_passwords_and_unknown_users_alike(server, alice):
    wrong = error(login(server, alice.user_id, "wrong"), 403, "M_FORBIDDEN")
    unknown = error(login(server, "nobody.like.this", "wrong"), 403, "M_FORBIDDEN")
    assert wrong["error"] == unknown["error"]
    error(login(server, "@x:elsewhere.example", "wrong"), 403, "M_FORBIDDEN")
    error(server.anonymous().post("/login", {"type": "m.login.nonsense"}), 400, "M_UNKNOWN")


@pytest.mark.parametrize(
    "body, status, errcode",
    [
        ("not json", 400, "M_NOT_JSON"),
        ("[]", 400, "M_BAD_JSON"),
        ({}, 400, "M_MISSING_PARAM"),
        ({"type": 5}, 400, "M_BAD_JSON"),
        ({"type": "m.login.password"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "user": "someone"}, 400, "M_MISSING_PARAM"),
        ({"type": "m.login.password", "identifier": {"type": "m.id.user", "user": 1}, "password": "x"}, 400, "M_BAD_JSON"),
        ({"type": "m.login.password", "identifier": {"type": "m.id.nonsense"}, "password": "x"}, 400, "M_UNKNOWN"),
        ({"type": "m.login.password", "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": "a@b.c"}, "password": "x"}, 403, "M_FORBIDDEN"),
        ({"type": "m.login.password", "medium": "email", "address": "a@b.c", "password": "x"}, 403, "M_FORBIDDEN"),
        ({"type": "m.login.token", "token": "x"}, 400, "M_UNKNOWN"),
    ],
)
def test_login_refuses(server, body, status, errcode):
    error(server.anonymous().post("/login", body), status, errcode)


def test_a_device_that_logs_in_again_loses_its_old_token(server):
    first = server.register("devices")
    second = ok(login(server, "devices", device_id=first.device_id))
    assert second["device_id"] == first.device_id
    error(first.get("/account/whoami"), 401, "M_UNKNOWN_TOKEN")


def test_whoami_and_missing_or_unknown_tokens(server, alice):
    assert ok(alice.get("/account/whoami")) == {"user_id": alice.user_id, "device_id": alice.device_id, "is_guest": False}
    error(server.anonymous().get("/account/whoami"), 401, "M_MISSING_TOKEN")
    unknown = Client(server, {"user_id": "", "access_token": "made up", "device_id": ""})
    error(unknown.get("/account/whoami"), 401, "M_UNKNOWN_TOKEN")
    assert ok(requests.get(f"{server.url}/_matrix/client/v3/account/whoami", params={"access_token": alice.token}))


def test_r0_paths_are_served_like_v3(alice):
    assert ok(alice.get("/_matrix/client/r0/account/whoami"))["user_id"] == alice.user_id


def test_logout_ends_one_session_and_logout_all_every_one(server):
    one = server.register("leaving")
    two = Client(server, ok(login(server, "leaving")))
    three = Client(server, ok(login(server, "leaving")))
    ok(one.request("POST", "/logout"))
    error(one.get("/account/whoami"), 401, "M_UNKNOWN_TOKEN")
    ok(two.get("/account/whoami"))
    ok(two.request("POST", "/logout/all"))
    for client in (two, three):
        error(client.get("/account/whoami"), 401, "M_UNKNOWN_TOKEN")
    error(server.anonymous().request("POST", "/logout"), 401, "M_MISSING_TOKEN")
    error(server.anonymous().request("POST", "/logout/all"), 401, "M_MISSING_TOKEN")


# --- profiles --------------------------------------------------------------------------------------------------------------------


def test_profiles_are_set_read_and_removed(alice, bob):
    path = f"/profile/{alice.user_id}"
    ok(alice.put(f"{path}/displayname", {"displayname": "Alice ✨"}))
    ok(alice.put(f"{path}/avatar_url", {"avatar_url": "mxc://example.org/abc"}))
    assert ok(bob.get(path)) == {"displayname": "Alice ✨", "avatar_url": "mxc://example.org/abc"}
    assert ok(bob.get(f"{path}/displayname")) == {"displayname": "Alice ✨"}
    assert ok(bob.get(f"{path}/avatar_url")) == {"avatar_url": "mxc://example.org/abc"}
    error(bob.put(f"{path}/displayname", {"displayname": "Mallory"}), 403, "M_FORBIDDEN")
    error(bob.put(f"{path}/avatar_url", {"avatar_url": "mxc://x/y"}), 403, "M_FORBIDDEN")
    error(alice.put(f"{path}/displayname", {"displayname": 5}), 400, "M_BAD_JSON")
    error(bob.get(f"/profile/@nobody.at.all:{alice.server.name}"), 404, "M_NOT_FOUND")
    error(bob.get(f"/profile/@nobody.at.all:{alice.server.name}/displayname"), 404, "M_NOT_FOUND")


def test_fields_of_profiles_are_taken_away(alice):
    path = f"/profile/{alice.user_id}"
    for field in ("displayname", "avatar_url"):
        ok(alice.put(f"{path}/{field}", {field: "mxc://example.org/abc"}))
    assert ok(alice.delete(f"{path}/displayname")) == {}
    error(alice.get(f"{path}/displayname"), 404, "M_NOT_FOUND")
    ok(alice.put(f"{path}/avatar_url", {"avatar_url": ""}))
    assert ok(alice.get(path)) == {}


def test_profiles_refuse_what_they_must(alice, bob):
    path = f"/profile/{alice.user_id}"
    error(bob.delete(f"{path}/displayname"), 403, "M_FORBIDDEN")
    error(alice.put(f"{path}/displayname", {}), 400, "M_MISSING_PARAM")
    error(alice.put(f"{path}/displayname", "["), 400, "M_NOT_JSON")
    for change in (alice.put(f"{path}/org.example.field", {"org.example.field": "x"}), alice.delete(f"{path}/org.example.field")):
        error(change, 403, "M_FORBIDDEN")
    for tail in ("", "/displayname"):
        error(alice.get(f"/profile/nonsense{tail}"), 400, "M_INVALID_PARAM")
    error(alice.get(f"{path}/org.example.field"), 404, "M_NOT_FOUND")


def test_profiles_of_other_servers_are_asked_of_them(peer, alice):
    ok(alice.put(f"/profile/{alice.user_id}/displayname", {"displayname": "Far away"}))
    assert ok(peer.anonymous().get(f"/profile/{alice.user_id}"))["displayname"] == "Far away"
    assert ok(peer.anonymous().get(f"/profile/{alice.user_id}/displayname")) == {"displayname": "Far away"}
    error(peer.anonymous().get(f"/profile/@nobody.at.all:{alice.server.name}"), 404, "M_NOT_FOUND")


def test_a_new_display_name_reaches_the_rooms(alice):
    room = alice.create_room()
    ok(alice.put(f"/profile/{alice.user_id}/displayname", {"displayname": "Renamed"}))
    member = ok(alice.get(f"/rooms/{room}/state/m.room.member/{alice.user_id}"))
    assert member["displayname"] == "Renamed" and member["membership"] == "join"


# --- account data, filters, push rules ---------------------------------------------------------------------------------------------


def test_account_data_of_a_user_is_bounded_in_bytes_and_what_is_stored_stays(alice, bob):
    """8 MiB unless configured otherwise, global and of all rooms together."""
    room = alice.create_room()
    paths = [f"/user/{alice.user_id}/account_data/large", f"/user/{alice.user_id}/rooms/{room}/account_data/large"]

    def put(number, size):
        return alice.put(f"{paths[number % 2]}{number}", {"text": "x" * size})

    stored = 0
    while (reply := put(stored, 500_000)).status_code == 200:
        stored += 1
        assert stored < 100
    error(reply, 413, "M_TOO_LARGE")
    assert stored == 16
    reply = alice.sync()
    told = reply["account_data"]["events"] + reply["rooms"]["join"][room]["account_data"]["events"]
    assert sorted(e["type"] for e in told if e["type"].startswith("large")) == sorted(f"large{number}" for number in range(stored))
    assert len(ok(alice.get(f"{paths[0]}0"))["text"]) == 500_000
    ok(put(1, 10))
    ok(put(stored, 499_000))
    ok(bob.put(f"/user/{bob.user_id}/account_data/large", {"text": "x" * 500_000}))


def test_account_data_is_kept_per_user_and_per_room(alice, bob):
    room = alice.create_room()
    for base in (f"/user/{alice.user_id}/account_data", f"/user/{alice.user_id}/rooms/{room}/account_data"):
        error(alice.get(f"{base}/org.example.nothing"), 404, "M_NOT_FOUND")
        ok(alice.put(f"{base}/org.example.thing", {"a": [1, {"b": None}]}))
        assert ok(alice.get(f"{base}/org.example.thing")) == {"a": [1, {"b": None}]}
        error(bob.get(f"{base}/org.example.thing"), 403, "M_FORBIDDEN")
        error(bob.put(f"{base}/org.example.thing", {}), 403, "M_FORBIDDEN")
        error(alice.put(f"{base}/org.example.thing", "[]"), 400, "M_BAD_JSON")
        for managed in ("m.fully_read", "m.push_rules"):
            error(alice.put(f"{base}/{managed}", {}), 405, "M_BAD_JSON")
    error(bob.put(f"/user/{bob.user_id}/rooms/{room}/account_data/org.example.thing", {}), 403, "M_FORBIDDEN")
    error(bob.get(f"/user/{bob.user_id}/rooms/{room}/account_data/org.example.thing"), 404, "M_NOT_FOUND")
    nowhere = f"/user/{alice.user_id}/rooms/nonsense/account_data/org.example.thing"
    error(alice.put(nowhere, {}), 400, "M_INVALID_PARAM")
    error(alice.get(nowhere), 400, "M_INVALID_PARAM")


def test_filters_are_kept(alice, bob):
    definition = {"room": {"timeline": {"limit": 3, "types": ["m.room.message"]}}}
    made = ok(alice.post(f"/user/{alice.user_id}/filter", definition))["filter_id"]
    assert not made.startswith("{")
    assert ok(alice.get(f"/user/{alice.user_id}/filter/{made}")) == definition
    error(alice.get(f"/user/{alice.user_id}/filter/999999"), 404, "M_NOT_FOUND")
    error(bob.post(f"/user/{alice.user_id}/filter", definition), 403, "M_FORBIDDEN")
    error(bob.get(f"/user/{alice.user_id}/filter/{made}"), 403, "M_FORBIDDEN")
    error(alice.get(f"/user/{alice.user_id}/filter/unknown"), 404, "M_NOT_FOUND")
    error(alice.post(f"/user/{alice.user_id}/filter", "{"), 400, "M_NOT_JSON")
    for bad in ({"room": 1}, {"room": {"timeline": {"limit": "three"}}}):
        error(alice.post(f"/user/{alice.user_id}/filter", bad), 400, "M_BAD_JSON")


def test_the_default_push_rules_are_readable(alice):
    rules = ok(alice.get("/pushrules/"))["global"]
    assert rules == ok(alice.get("/pushrules/global/"))
    assert rules["override"][0]["rule_id"] == ".m.rule.master" and rules["override"][0]["enabled"] is False
    assert {rule["rule_id"] for rule in rules["underride"]} >= {".m.rule.message", ".m.rule.encrypted", ".m.rule.call"}
    mention = ok(alice.get("/pushrules/global/override/.m.rule.is_user_mention"))
    assert mention["conditions"][0]["value"] == alice.user_id
    assert ok(alice.get("/pushrules/global/override/.m.rule.master/enabled")) == {"enabled": False}
    assert ok(alice.get("/pushrules/global/underride/.m.rule.message/actions"))["actions"] == ["notify"]
    error(alice.get("/pushrules/global/override/.no.such.rule"), 404, "M_NOT_FOUND")
    for part in ("enabled", "actions"):
        error(alice.get(f"/pushrules/global/override/.no.such.rule/{part}"), 404, "M_NOT_FOUND")
    error(alice.put("/pushrules/global/override/mine", {"actions": []}), 405, "M_UNRECOGNIZED")


def test_each_push_rule_is_readable_by_itself(alice):
    rules = ok(alice.get("/pushrules/"))
    assert ok(alice.get(f"/user/{alice.user_id}/account_data/m.push_rules")) == rules
    for kind, listed in rules["global"].items():
        for rule in listed:
            path = f"/pushrules/global/{kind}/{rule['rule_id']}"
            assert ok(alice.get(path)) == rule
            assert ok(alice.get(f"{path}/enabled")) == {"enabled": rule["enabled"]}
            assert ok(alice.get(f"{path}/actions")) == {"actions": rule["actions"]}


# --- the HTTP conventions ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/_matrix/client/v3/nonsense", "/_matrix/nonsense", "/", "/_matrix/media/v3/config", "/_matrix/client/v3/keys/query"])
def test_unknown_paths_are_404_unrecognized(server, path):
    error(server.anonymous().get(path), 404, "M_UNRECOGNIZED")


def test_a_known_path_with_a_wrong_method_is_405(server, alice):
    error(alice.delete("/account/whoami"), 405, "M_UNRECOGNIZED")
    error(alice.get("/createRoom"), 405, "M_UNRECOGNIZED")


def test_cors_and_options(server):
    reply = requests.options(f"{server.url}/_matrix/client/v3/sync")
    assert reply.status_code in (200, 204) and reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in reply.headers["Access-Control-Allow-Methods"] and "Authorization" in reply.headers["Access-Control-Allow-Headers"]
    assert requests.get(f"{server.url}/_matrix/client/versions").headers["Access-Control-Allow-Origin"] == "*"
