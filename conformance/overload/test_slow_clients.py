"""Clients that take what they asked for slowly or not at all, and more connections than the process may have."""

import socket

from servers import Server, ok
from waiting import wait_until
from wire import VERSIONS, Wire


def slow_wire(url):
    """A connection whose system takes next to nothing while its program reads nothing."""
    host, port = url.removeprefix("http://").split(":")
    made = Wire.__new__(Wire)
    made.socket = socket.socket()
    made.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.socket.settimeout(20)
    made.socket.connect((host, int(port)))
    made.host, made.received = host, b""
    return made


def test_clients_that_take_no_replies_do_not_hold_memory_without_bound(small):
    """Of 16 MiB for replies under way, with replies of 4 MiB: whoever took nothing for the longest is cut off."""
    user = small.register()
    for number in range(8):
        ok(user.put(f"/user/{user.user_id}/account_data/large{number}", {"text": "x" * 500_000}))
    clients, before = [], small.count("http_requests_total", operation="sync", status="200")
    for _ in range(9):
        client = slow_wire(small.url)
        client.send(client.request("GET", "/_matrix/client/v3/sync", Authorization=f"Bearer {user.token}"))
        clients.append(client)
        wait_until(lambda: small.count("http_requests_total", operation="sync", status="200") == before + len(clients))
        assert small.count("http_unsent_bytes") <= 20 << 20
    wait_until(lambda: small.count("http_slow_readers_total") >= 5, why=lambda: f"{small.count('http_slow_readers_total')} were cut off")
    assert small.count("http_unsent_bytes") <= 16 << 20
    assert len(user.sync()["account_data"]["events"]) >= 8
    last = clients[-1].reply()
    assert last.status == 200 and len(last.json()["account_data"]["events"]) >= 8, "who is not the slowest gets it all"
    for client in clients:
        client.close()
    wait_until(lambda: small.count("http_unsent_bytes") == 0)


def test_requests_are_not_read_while_their_replies_are_not_taken(small):
    """One after the other on one connection: what the server does not take stays with the client."""
    client = slow_wire(small.url)
    client.socket.settimeout(1)
    request, sent = client.request("GET", VERSIONS) * 500, 0
    try:
        while sent < 64 << 20:
            sent += client.socket.send(request)
    except TimeoutError:
        pass
    assert sent < 64 << 20, "the server read on and on"
    assert small.register().get("/account/whoami").status_code == 200
    client.close()


def stranger(server):
    """The reply that a new connection gets; None if it is closed before."""
    wire = Wire(server.url)
    try:
        return wire.ask("GET", VERSIONS)
    finally:
        wire.close()


def test_few_file_descriptors_go_to_those_who_want_something_and_the_server_recovers(authority):
    """200 for the process, of which connections get 150. Those that wait for nothing give way; where none does, new ones get 503."""
    server = Server(authority)
    server.stop()
    server.command = ["prlimit", "--nofile=200:200", *server.command]
    server.start()
    user = server.register()
    room = user.create_room()
    crowd = [Wire(server.url) for _ in range(400)]
    user.session.close()
    assert user.send(room, "in the crowd")
    for wire in crowd:
        wire.close()
    since = user.sync()["next_batch"]
    user.session.close()
    target = f"/_matrix/client/v3/sync?timeout=60000&since={since}"
    waiting = [Wire(server.url) for _ in range(200)]
    for wire in waiting:
        wire.send(wire.request("GET", target, Authorization=f"Bearer {user.token}"))
    wait_until(lambda: (reply := stranger(server)) and reply.status == 503 and int(reply.headers["retry-after"]) >= 1)
    for wire in waiting:
        wire.close()
    wait_until(lambda: (reply := stranger(server)) and reply.status == 200)
    assert user.send(room, "after it")
    assert server.process.poll() is None
    assert server.stop() == 0
    server.remove()
