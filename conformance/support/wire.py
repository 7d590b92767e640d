"""HTTP/1.1 as bytes on a socket: for requests that no client library would send."""

import json
import socket
import ssl
import urllib.parse

VERSIONS = "/_matrix/client/versions"
LOGIN = "/_matrix/client/v3/login"
PATIENCE_S = 20


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def errcode(self):
        """The Matrix error code; fails unless the reply has the shape of every Matrix error."""
        assert self.headers["content-type"].startswith("application/json"), self.headers
        assert self.headers["access-control-allow-origin"] == "*", self.headers
        body = self.json()
        assert isinstance(body["errcode"], str) and isinstance(body["error"], str), body
        return body["errcode"]


class Wire:
    def __init__(self, url, patience_s=PATIENCE_S):
        parts = urllib.parse.urlsplit(url)
        tls = parts.scheme == "https"
        self.host = parts.netloc
        self.socket = socket.create_connection((parts.hostname, parts.port or (443 if tls else 80)), patience_s)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket, server_hostname=parts.hostname)
        self.received = b""

    def send(self, data):
        """True: sent. False: the server has closed; what it said before can still be read."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
            return True
        except (ConnectionError, ssl.SSLError):
            return False

    def request(self, method, target, body=None, **headers):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (body or b"")

    def ask(self, method, target, body=None, **headers):
        self.send(self.request(method, target, body, **headers))
        return self.reply(has_body=method != "HEAD")

    def reply(self, has_body=True):
        """The next reply; None when the server closes without one. Fails when it does neither in time."""
        while b"\r\n\r\n" not in self.received:
            if not self._read_more():
                return None
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        status = int(first.split(" ")[1])
        if not has_body or status < 200 or status in (204, 304):
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Reply(status, headers, self._chunks())
        return Reply(status, headers, self._take(int(headers.get("content-length", 0))))

    def is_closed(self):
        """Waits until the server closes; False if it sends another byte instead."""
        return not self.received and not self._read_more()

    def finish(self):
        """Says that nothing more will come."""
        try:
            (self.socket.unwrap() if isinstance(self.socket, ssl.SSLSocket) else self.socket).shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()

    def _read_more(self):
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise AssertionError(f"the server neither answers nor closes within {self.socket.gettimeout()} s") from None
        except (ConnectionError, ssl.SSLError):
            return False
        self.received += data
        return bool(data)

    def _take(self, size):
        while len(self.received) < size and self._read_more():
            pass
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.received and self._read_more():
                pass
            size, self.received = self.received.split(b"\r\n", 1)
            chunk = self._take(int(size.split(b";")[0], 16) + 2)[:-2]
            if not chunk:
                return body
            body += chunk
