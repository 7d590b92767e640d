"""Bad HTTP: every request gets the right error or a closed connection, and the server goes on."""

import os
import random
import threading
import time

import pytest

import wire
from wire import LOGIN, VERSIONS

# How long a server may let a client dawdle.
SLOWEST_S = float(os.environ.get("CAUSEWAY_SLOWEST_S", "90"))

REFUSED = (400, 404, 405, 408, 411, 413, 414, 417, 431, 501, 505)


def login(connect, body, **headers):
    return connect().ask("POST", LOGIN, body, Content_Type="application/json", **headers)


# Paths and methods


@pytest.mark.parametrize("path", ["/_matrix/client/v3/nothing", "/_matrix/client/v99/login", "/_matrix/nothing", "/_matrix/",
                                  "/_matrix/client/v3/login/more", "//_matrix/client/versions", "/_matrix/client/./versions",
                                  "/_matrix/client/x/../versions", "/_matrix/client/%2e%2e/client/versions"])
def test_unknown_path_is_unrecognized(connect, path):
    for method in ("GET", "POST", "PUT", "DELETE"):
        reply = connect().ask(method, path, b"{}" if method in ("POST", "PUT") else None)
        assert (reply.status, reply.errcode()) == (404, "M_UNRECOGNIZED"), (method, path)


@pytest.mark.parametrize("method, path", [("PUT", LOGIN), ("DELETE", LOGIN), ("PATCH", LOGIN), ("POST", VERSIONS), ("BREW", VERSIONS)])
def test_wrong_method_is_unrecognized(connect, method, path):
    reply = connect().ask(method, path, b"{}")
    if method == "BREW" and reply.status == 400:
        return  # a method nobody has heard of may also be no request at all
    assert (reply.status, reply.errcode()) == (405, "M_UNRECOGNIZED")


@pytest.mark.parametrize("target", ["/_matrix/client/v3/profile/%", "/_matrix/client/v3/profile/%zz", "/_matrix/client/v3/profile/%ff%fe",
                                    "/_matrix/client/v3/profile/%c0%af", "/_matrix/client/v3/profile/%ed%a0%80"])
def test_undecodable_path_is_refused(connect, target):
    reply = connect().ask("GET", target)
    assert reply.status in (400, 404)
    assert reply.errcode() in ("M_INVALID_PARAM", "M_UNRECOGNIZED", "M_NOT_FOUND")


@pytest.mark.parametrize("target", ["/_matrix/client/v3/profile/%00", "/_matrix/client/v3/profile/@a%00:b",
                                    "/_matrix/client/v3/profile/" + "a" * 4000, "/_matrix/client/v3/profile/a%2Fb%3Ac"])
def test_odd_path_parameter_is_an_error_of_the_client(connect, target):
    reply = connect().ask("GET", target)
    assert 400 <= reply.status < 500
    reply.errcode()


def test_options_is_answered_everywhere_with_cors_headers(connect):
    connection = connect()
    for target in (LOGIN, VERSIONS, "/_matrix/client/v3/sync", "/_matrix/client/v3/account/whoami", "/_matrix/client/v3/nothing"):
        reply = connection.ask("OPTIONS", target, Origin="https://app.example", Access_Control_Request_Method="PUT")
        assert reply.status in (200, 204), target
        assert reply.headers["access-control-allow-origin"] == "*"
        assert {"GET", "POST", "PUT", "DELETE", "OPTIONS"} <= set(reply.headers["access-control-allow-methods"].replace(" ", "").split(","))
        assert {"x-requested-with", "content-type", "authorization"} <= set(
            reply.headers["access-control-allow-headers"].lower().replace(" ", "").split(","))


def test_head_has_no_body(connect):
    connection = connect()
    reply = connection.ask("HEAD", VERSIONS)
    if reply.status == 200:
        assert connection.ask("GET", VERSIONS).json()["versions"]


# Tokens


def test_missing_and_bad_tokens_are_told_apart(connect):
    whoami = "/_matrix/client/v3/account/whoami"
    missing = connect().ask("GET", whoami)
    assert (missing.status, missing.errcode()) == (401, "M_MISSING_TOKEN")
    for headers in ({"Authorization": "Bearer nobody-has-this"}, {"Authorization": "Bearer " + "x" * 5000}, {"Authorization": "Bearer \xff\xfe"}):
        bad = connect().ask("GET", whoami, **headers)
        assert (bad.status, bad.errcode()) == (401, "M_UNKNOWN_TOKEN")
    in_query = connect().ask("GET", whoami + "?access_token=nobody%00has-this")
    assert (in_query.status, in_query.errcode()) == (401, "M_UNKNOWN_TOKEN")


# JSON bodies


@pytest.mark.parametrize("body", [b"", b"{", b"}", b"{]", b"nonsense", b"{'type': 1}", b'{"a":1,}', b'{"a":NaN}', b'{"a":01}', b'{"a":1} x',
                                  b'\xef\xbb\xbf{"a":1}', b"{\"a\":\"\x01\"}", b'{"a":"\\x"}', b'{"a"', b"\x00"])
def test_what_is_not_json_is_told_so(connect, body):
    reply = login(connect, body)
    assert (reply.status, reply.errcode()) == (400, "M_NOT_JSON")


@pytest.mark.parametrize("body", [b'{"type":"\xff"}', b'{"type":"\xc3"}', b'{"type":"\xed\xa0\x80"}', b'{"type":"\xc0\xaf"}', b'{"\xf5":1}'])
def test_bad_utf8_is_refused(connect, body):
    reply = login(connect, body)
    assert reply.status == 400 and reply.errcode() in ("M_NOT_JSON", "M_BAD_JSON")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_json_that_is_no_object_is_refused(connect, body):
    reply = login(connect, body)
    assert reply.status == 400 and reply.errcode() in ("M_NOT_JSON", "M_BAD_JSON")


@pytest.mark.parametrize("depth", [200, 5000])
@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused(connect, depth, opening, closing):
    reply = login(connect, b'{"type":' + opening * depth + b"1" + closing * depth + b"}")
    assert reply.status in (400, 413) and reply.errcode() in ("M_NOT_JSON", "M_BAD_JSON", "M_TOO_LARGE")


def test_unclosed_nesting_is_refused(connect):
    reply = login(connect, b'{"type":' + b"[" * 10000)
    assert reply.status in (400, 413) and reply.errcode() in ("M_NOT_JSON", "M_BAD_JSON", "M_TOO_LARGE")


@pytest.mark.parametrize("body", [b'{"type":1}', b'{"type":null}', b'{"type":{}}', b'{"type":"m.login.password","identifier":[]}',
                                  b'{"type":"m.login.password","identifier":{"type":"m.id.user","user":1},"password":"x"}',
                                  b'{"type":"m.login.password","identifier":{"type":"m.id.user","user":"x"},"password":1e400}',
                                  b'{"type":"m.login.password","identifier":{"type":"m.id.user","user":"x"},"password":99999999999999999999}'])
def test_wrong_types_are_bad_json(connect, body):
    reply = login(connect, body)
    assert reply.status == 400 and reply.errcode() in ("M_BAD_JSON", "M_NOT_JSON", "M_MISSING_PARAM", "M_INVALID_PARAM")


# Sizes


def test_announced_giant_is_refused_before_it_is_sent(connect):
    connection = connect()
    connection.send(connection.request("POST", LOGIN, Content_Length=1 << 40))
    reply = connection.reply()
    assert (reply.status, reply.errcode()) == (413, "M_TOO_LARGE")
    assert connection.is_closed()


def test_oversized_body_that_is_sent_gets_its_error(connect):
    reply = login(connect, b'{"type":"' + b"x" * (4 << 20) + b'"}')
    assert reply is not None, "the reply was lost in a reset"
    assert (reply.status, reply.errcode()) == (413, "M_TOO_LARGE")


def test_endless_chunks_are_cut_off(connect):
    connection = connect()
    connection.send(connection.request("POST", LOGIN, Transfer_Encoding="chunked"))
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    sent = 0
    while connection.send(chunk):
        sent += 1
        assert sent < 8000, "256 MB and no end"
    reply = connection.reply()
    assert reply is None or (reply.status, reply.errcode()) == (413, "M_TOO_LARGE")


@pytest.mark.parametrize("extension", [b";" + b"x" * 1_000_000, b";" + b"a=b;" * 200_000])
def test_endless_chunk_extension_is_cut_off(connect, extension):
    connection = connect()
    connection.send(connection.request("POST", LOGIN, Transfer_Encoding="chunked"))
    connection.send(b"1" + extension)
    connection.finish()
    reply = connection.reply()
    assert reply is None or reply.status in REFUSED


@pytest.mark.parametrize("head", [b"GET /" + b"x" * 200_000, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 200_000,
                                  b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 40_000, b"x" * 200_000])
def test_endless_header_is_cut_off(connect, head):
    connection = connect()
    connection.send(head)
    reply = connection.reply()
    assert reply is None or reply.status in REFUSED
    assert connection.is_closed()


# Framing, and requests hidden in others

MALFORMED = [
    b"\r\n\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET %s\r\n\r\n" % VERSIONS.encode(),
    b"GET %s HTTP/9.9\r\nHost: x\r\n\r\n" % VERSIONS.encode(),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET %s HTTP/1.1\r\n\r\n" % VERSIONS.encode(),
    b"GET %s HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" % VERSIONS.encode(),
    b"GET %s HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n" % VERSIONS.encode(),
    b"GET %s HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n" % VERSIONS.encode(),
    b"GET %s HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n" % VERSIONS.encode(),
    b"G\x00T %s HTTP/1.1\r\nHost: a\r\n\r\n" % VERSIONS.encode(),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 32 + b"\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", MALFORMED)
def test_what_is_no_request_is_refused_or_dropped(connect, request_bytes):
    connection = connect()
    connection.send(request_bytes)
    connection.finish()
    reply = connection.reply()
    assert reply is None or reply.status in REFUSED


HIDDEN = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % VERSIONS.encode()
AMBIGUOUS = [
    [b"Content-Length: 5", b"Content-Length: 6"],
    [b"Content-Length: 5, 6"],
    [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
    [b"Transfer-Encoding: xchunked"],
    [b"Transfer-Encoding: chunked, identity"],
    [b"Transfer-Encoding: identity, chunked"],
    [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
    [b"Transfer-Encoding : chunked"],
    [b" Transfer-Encoding: chunked"],
    [b"Transfer-Encoding:\x0bchunked"],
    [b"Content-Length: +5"],
    [b"Content-Length: -5"],
    [b"Content-Length: 0x5"],
    [b"Content-Length: 5\x00"],
    [b"Content-Length : 5"],
    [b"Content-Length: 99999999999999999999999"],
]


@pytest.mark.parametrize("headers", AMBIGUOUS, ids=lambda headers: b"+".join(headers).decode("latin-1"))
def test_ambiguous_length_is_refused_and_ends_the_connection(connect, headers):
    connection = connect()
    connection.send(b"\r\n".join([b"POST %s HTTP/1.1" % LOGIN.encode(), b"Host: x", *headers, b"", b"0\r\n\r\n" + HIDDEN]))
    connection.finish()
    reply = connection.reply()
    assert reply is None or reply.status in REFUSED
    assert connection.is_closed(), "what came after was taken for a request"


@pytest.mark.parametrize("body", [b"zz\r\n\r\n", b"-1\r\n\r\n", b"5\r\nabc\r\n0\r\n\r\n", b"1\r\nabc\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n\r\n", b"0x1\r\na\r\n0\r\n\r\n"])
def test_bad_chunks_end_the_connection(connect, body):
    connection = connect()
    connection.send(connection.request("POST", LOGIN, Transfer_Encoding="chunked") + body + HIDDEN)
    connection.finish()
    reply = connection.reply()
    assert reply is None or reply.status in REFUSED
    assert connection.is_closed()


def test_trailers_are_no_headers(connect):
    connection = connect()
    connection.send(connection.request("POST", LOGIN, Transfer_Encoding="chunked") + b"2\r\n{}\r\n0\r\nContent-Length: 40\r\n\r\n" + HIDDEN)
    first = connection.reply()
    assert first.status == 400
    following = connection.reply()
    assert following is None or following.status == 200


# Order


def test_pipelined_requests_are_answered_in_order(connect):
    connection = connect()
    kinds = [("GET", VERSIONS, None, 200), ("GET", "/_matrix/client/v3/nothing", None, 404), ("POST", LOGIN, b"{", 400), ("OPTIONS", LOGIN, None, None)]
    connection.send(b"".join(connection.request(method, target, body) for method, target, body, _ in kinds * 10))
    for method, target, _, status in kinds * 10:
        reply = connection.reply()
        assert reply is not None and reply.status in ([status] if status else [200, 204]), (method, target)


def test_request_byte_by_byte_is_one_request(connect):
    connection = connect()
    for byte in connection.request("POST", LOGIN, b"{"):
        connection.send(bytes([byte]))
    assert connection.reply().errcode() == "M_NOT_JSON"


def test_expect_continue_is_answered(connect):
    connection = connect()
    connection.send(connection.request("POST", LOGIN, Expect="100-continue", Content_Length=1))
    reply = connection.reply()
    if reply.status == 100:
        connection.send(b"{")
        reply = connection.reply()
    assert reply.status in (400, 417)


# Time and numbers


def dawdle(connection, first, then, seconds):
    """Sends `first`, then a byte each second. How long the server took to end it; None if it did not."""
    started = time.monotonic()
    connection.send(first)
    connection.socket.settimeout(1)
    while time.monotonic() - started < seconds:
        connection.send(then)
        try:
            if not connection.socket.recv(4096):
                return time.monotonic() - started
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - started
    return None


def test_slow_clients_are_cut_off(connect, url):
    head = connect()
    kinds = {
        "header": (b"GET %s HTTP/1.1\r\nHost: x\r\nX: " % VERSIONS.encode(), b"x"),
        "body": (head.request("POST", LOGIN, Content_Length=10_000), b"x"),
        "chunks": (head.request("POST", LOGIN, Transfer_Encoding="chunked"), b"1\r\nx\r\n"),
    }
    ended = {}

    def run(kind):
        connection = wire.Wire(url)
        ended[kind] = dawdle(connection, *kinds[kind], SLOWEST_S)
        connection.close()

    threads = [threading.Thread(target=run, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ended.values()), f"seconds until the server ended it: {ended}"


def test_clients_that_come_and_go_leave_nothing_behind(connect):
    beginnings = [b"", b"G", b"GET / HTTP/1.1\r\n", b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{" % LOGIN.encode()]
    for number in range(400):
        connection = connect()
        connection.send(beginnings[number % len(beginnings)])
        connection.close()


def test_many_idle_connections_do_not_keep_others_out(connect):
    for _ in range(200):
        connect()
    assert connect().ask("GET", VERSIONS).status == 200


def test_mutated_requests_never_harm(connect):
    seed = int(os.environ.get("CAUSEWAY_SEED", random.randrange(1 << 32)))
    print(f"CAUSEWAY_SEED={seed}")
    dice = random.Random(seed)
    for _ in range(300):
        connection = connect()
        data = bytearray(connection.request("POST", LOGIN, b'{"type":"m.login.password"}', Content_Type="application/json") + HIDDEN)
        for _ in range(dice.randint(1, 6)):
            place = dice.randrange(len(data))
            kind = dice.randrange(3)
            if kind == 0:
                data[place] = dice.randrange(256)
            elif kind == 1:
                del data[place : place + dice.randint(1, 20)]
            else:
                data[place:place] = bytes(dice.choice(b"\r\n :,;%\x00\xff0A") for _ in range(dice.randint(1, 4)))
        connection.send(bytes(data))
        connection.finish()
        while (reply := connection.reply()) is not None:
            assert reply.status < 500 or reply.status in (501, 505), bytes(data)
        connection.close()
