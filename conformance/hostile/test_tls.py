"""TLS as careless and hostile clients speak it. The federation API is served there too, so this is the server's face to all."""

import socket
import ssl

import pytest

from servers import Server, TestAuthority, ok
from wire import VERSIONS, Wire


@pytest.fixture(scope="module")
def server():
    authority = TestAuthority()
    made = Server(authority)
    yield made
    assert made.stop() == 0, "".join(made.log[-50:])
    made.remove()
    authority.remove()


@pytest.fixture(autouse=True)
def still_serves(server):
    yield
    survivor = Wire(server.federation_url)
    assert survivor.ask("GET", VERSIONS).status == 200, "the server no longer serves"
    survivor.close()


def raw(server):
    return socket.create_connection(("localhost", server.federation_port), 20)


def context(lowest=ssl.TLSVersion.TLSv1_2, highest=ssl.TLSVersion.TLSv1_3):
    made = ssl.create_default_context()
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = lowest, highest
    return made


def everything_from(connection):
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionError:
        pass
    return received


@pytest.mark.parametrize(
    "beginning",
    [
        b"GET /_matrix/client/versions HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 100,
        b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000,
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_what_is_no_handshake_is_ended(server, beginning):
    with raw(server) as connection:
        try:
            connection.sendall(beginning)
            connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        assert not everything_from(connection).startswith(b"HTTP/")


def test_clients_that_vanish_within_the_handshake_leave_nothing_behind(server):
    hello = client_hello()
    for size in (0, 1, 5, 50, len(hello)):
        for _ in range(20):
            with raw(server) as connection:
                connection.sendall(hello[:size])


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_versions_are_spoken(server, version):
    with context(version, version).wrap_socket(raw(server)) as connection:
        connection.sendall(f"GET {VERSIONS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert everything_from(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(server):
    with raw(server) as connection, pytest.raises((ssl.SSLError, ConnectionError)):
        context(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1).wrap_socket(connection)


def test_a_request_in_records_of_one_byte_is_answered(server):
    connection = Wire(server.federation_url)
    for byte in connection.request("GET", VERSIONS):
        assert connection.send(bytes([byte]))
    assert connection.reply().status == 200
    connection.close()


def test_pipelined_requests_in_one_record_are_answered_in_order(server):
    connection = Wire(server.federation_url)
    connection.send(connection.request("GET", VERSIONS) * 5 + connection.request("GET", "/nowhere"))
    assert [connection.reply().status for _ in range(6)] == [200] * 5 + [404]
    connection.close()


def test_a_large_reply_arrives_whole_however_slowly_it_is_read(server):
    alice = server.register()
    room = alice.create_room()
    for _ in range(40):
        alice.send(room, "x" * 50_000)
    connection = Wire(server.federation_url)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.send(connection.request("GET", f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100", Authorization=f"Bearer {alice.token}"))
    while len(connection.received) < 300_000:
        connection.received += connection.socket.recv(1000)
    events = ok_body(connection.reply())["chunk"]
    assert sum(event["type"] == "m.room.message" and len(event["content"]["body"]) == 50_000 for event in events) == 40
    connection.close()


def ok_body(reply):
    assert reply.status == 200, reply.body[:500]
    return reply.json()


def test_a_client_that_leaves_during_a_large_reply_harms_nobody(server):
    alice = server.register()
    room = alice.create_room()
    for _ in range(20):
        alice.send(room, "x" * 50_000)
    for _ in range(5):
        connection = Wire(server.federation_url)
        connection.send(connection.request("GET", f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100", Authorization=f"Bearer {alice.token}"))
        connection.socket.recv(100)
        connection.close()
    ok(alice.get("/account/whoami"))


def test_a_parked_sync_over_tls_is_woken_and_an_abandoned_one_is_let_go(server):
    alice = server.register()
    room = alice.create_room()
    since = alice.sync()["next_batch"]
    target = f"/_matrix/client/v3/sync?timeout=30000&since={since}"
    gone, waiting = Wire(server.federation_url), Wire(server.federation_url)
    for connection in (gone, waiting):
        connection.send(connection.request("GET", target, Authorization=f"Bearer {alice.token}"))
    gone.close()
    sent = alice.send(room)
    timeline = ok_body(waiting.reply())["rooms"]["join"][room]["timeline"]["events"]
    assert [event["event_id"] for event in timeline] == [sent]
    waiting.close()
