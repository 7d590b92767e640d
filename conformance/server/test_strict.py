"""A server with the defaults of a production server: closed registration, rate limits, nothing published by just anyone; and discovery."""

import subprocess

import pytest
import requests

from servers import Client, Server, causeway, error, ok

REGISTER = "/_matrix/client/v3/register"
VALIDITY = "/_matrix/client/v1/register/m.login.registration_token/validity"


@pytest.fixture(scope="module")
def strict(authority):
    made = Server(authority)
    users = [made.register(), made.register()]
    made.stop()
    made.reconfigure({
        "server.public_baseurl": '"https://matrix.example.org"',
        "server.federation_address": '"matrix.example.org:443"',
        "http.trusted_proxies": '["127.0.0.1"]',
        "registration.open": "false",
        "registration.tokens": "false",
        "registration.shared_secret": '""',
        "rooms.anyone_may_publish": "false",
        "rate_limits.enabled": "true",
    })
    made.start()
    made.users = users
    yield made
    made.remove()


@pytest.fixture(scope="module")
def by_token(authority):
    """Whoever holds a registration token may register."""
    made = Server(authority)
    made.stop()
    made.reconfigure({"registration.open": "false", "passwords.min_length": "8"})
    made.start()
    yield made
    made.remove()


def make_token(server, token, uses="null", expires="null"):
    directory = (server.data / "postgres.socket").read_text()
    row = f"insert into registration_tokens (token, uses_allowed, expires_ts) values ('{token}', {uses}, {expires})"
    subprocess.run(["psql", "-q", f"host={directory} user=causeway dbname=causeway", "-c", row], check=True)


def from_address(server, address, method, path, **options):
    return requests.request(method, server.url + path, headers={"X-Forwarded-For": address}, timeout=30, **options)


def test_discovery_tells_what_is_configured(strict):
    anyone = strict.anonymous()
    client = anyone.get("/.well-known/matrix/client")
    assert ok(client) == {"m.homeserver": {"base_url": "https://matrix.example.org"}}
    assert client.headers["Content-Type"].startswith("application/json") and client.headers["Access-Control-Allow-Origin"] == "*"
    assert ok(anyone.get("/.well-known/matrix/server")) == {"m.server": "matrix.example.org:443"}


def test_login_tells_the_base_url(strict):
    user = {"type": "m.id.user", "user": strict.users[0].user_id}
    done = ok(strict.anonymous().post("/login", {"type": "m.login.password", "identifier": user, "password": "correct horse"}))
    assert done["well_known"] == {"m.homeserver": {"base_url": "https://matrix.example.org"}}


def test_closed_registration_is_forbidden(strict):
    anyone = strict.anonymous()
    error(anyone.post(REGISTER, {"username": "newcomer", "password": "correct horse"}), 403, "M_FORBIDDEN")
    error(anyone.get(f"{REGISTER}/available", params={"username": "newcomer"}), 403, "M_FORBIDDEN")
    error(anyone.get(VALIDITY, params={"token": "any"}), 403, "M_FORBIDDEN")


def test_shared_secret_registration_is_not_there_without_a_secret(strict):
    error(strict.anonymous().get("/_synapse/admin/v1/register"), 404, "M_UNRECOGNIZED")
    error(strict.anonymous().post("/_synapse/admin/v1/register"), 404, "M_UNRECOGNIZED")


def test_publishing_is_for_administrators(strict):
    alice = strict.users[0]
    room = alice.create_room()
    listing = f"/directory/list/room/{room}"
    error(alice.put(listing, {"visibility": "public"}), 403, "M_FORBIDDEN")
    error(alice.put(listing, {}), 403, "M_FORBIDDEN")
    error(alice.post("/createRoom", {"visibility": "public"}), 403, "M_FORBIDDEN")
    ok(alice.put(listing, {"visibility": "private"}))
    assert ok(alice.get(listing)) == {"visibility": "private"}


def test_metrics_are_for_the_machine_itself_even_behind_a_proxy(strict):
    error(from_address(strict, "192.0.2.7", "GET", "/metrics"), 403, "M_FORBIDDEN")
    assert from_address(strict, "127.0.0.1", "GET", "/metrics").status_code == 200


def limited(ask, most=2000):
    """The first reply that says to slow down."""
    for _ in range(most):
        reply = ask()
        if reply.status_code == 429:
            return reply
    raise AssertionError("there is no limit")


def test_those_who_ask_too_much_are_told_how_long_to_wait(strict):
    def guess():
        return from_address(strict, "192.0.2.8", "POST", "/_matrix/client/v3/login", json={"type": "m.login.password", "user": "x", "password": "y"})

    reply = limited(guess)
    body = error(reply, 429, "M_LIMIT_EXCEEDED")
    assert body["retry_after_ms"] > 0 and int(reply.headers["Retry-After"]) >= 1
    other = from_address(strict, "192.0.2.9", "GET", "/_matrix/client/versions")
    assert other.status_code == 200


def test_a_limit_is_a_users_own(strict):
    alice, bob = strict.users
    room = alice.create_room(invite=[bob.user_id])
    bob.join(room)
    error(limited(lambda: alice.put(f"/rooms/{room}/send/m.room.message/same", {"msgtype": "m.text", "body": "x"})), 429, "M_LIMIT_EXCEEDED")
    bob.send(room)


def test_the_command_makes_tokens_that_end_after_their_uses(by_token):
    anyone = by_token.anonymous()
    command = ["user", "token", "--config", by_token.command[-1]]
    token = causeway(*command, "--uses", "1", "--days", "1").stdout.strip()
    assert ok(anyone.get(VALIDITY, params={"token": token})) == {"valid": True}
    wish = {"username": "guest3", "password": "correct horse"}
    session = anyone.post(REGISTER, wish).json()["session"]
    ok(anyone.post(REGISTER, {**wish, "auth": {"type": "m.login.registration_token", "session": session, "token": token}}))
    assert ok(anyone.get(VALIDITY, params={"token": token})) == {"valid": False}
    assert causeway(*command, "--uses", "0").returncode == 2


def test_short_passwords_are_refused_before_anything_else(by_token):
    error(by_token.anonymous().post(REGISTER, {"username": "weak", "password": "seven77"}), 400, "M_WEAK_PASSWORD")


def test_registration_token_lets_in_as_often_as_it_says(by_token):
    anyone = by_token.anonymous()
    make_token(by_token, "once", uses=1)
    make_token(by_token, "over", expires=1)
    for token, valid in (("once", True), ("over", False), ("other", False)):
        assert ok(anyone.get(VALIDITY, params={"token": token})) == {"valid": valid}
    wish = {"username": "guest1", "password": "correct horse"}
    first = anyone.post(REGISTER, wish)
    assert first.status_code == 401 and first.json()["flows"] == [{"stages": ["m.login.registration_token"]}]
    auth = {"type": "m.login.registration_token", "session": first.json()["session"]}
    wrong = anyone.post(REGISTER, {**wish, "auth": {**auth, "token": "other"}})
    assert wrong.status_code == 401 and wrong.json()["session"] == auth["session"] and wrong.json()["errcode"]
    made = ok(anyone.post(REGISTER, {**wish, "auth": {**auth, "token": "once"}}))
    assert ok(Client(by_token, made).get("/account/whoami"))["user_id"] == f"@guest1:{by_token.name}"
    assert ok(anyone.get(VALIDITY, params={"token": "once"})) == {"valid": False}
    second = anyone.post(REGISTER, {"username": "guest2", "password": "correct horse"}).json()["session"]
    refused = anyone.post(REGISTER, {"username": "guest2", "password": "correct horse", "auth": {**auth, "session": second, "token": "once"}})
    assert refused.status_code == 401
