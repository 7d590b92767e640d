"""One user's requests to a server that may die at any moment."""

import http.client
import json
import time
from urllib.parse import quote

PAUSE_S = 0.1


class GivenUp(Exception):
    """There was no answer within the patience of the client."""


class Refused(Exception):
    """A 4xx answer to a request that should have worked."""


def path_of(*segments):
    return "/_matrix/client/v3/" + "/".join(quote(segment, safe="") for segment in segments)


class Connection:
    def __init__(self, server, token=None):
        self.address = ("127.0.0.1", server.client_port)
        self.token = token
        self._http = None

    def once(self, method, path, body=None, timeout=30):
        """(status, JSON). Raises OSError or HTTPException when there is no whole answer."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            if self._http is None:
                self._http = http.client.HTTPConnection(*self.address, timeout=timeout)
                self._http.connect()
            self._http.sock.settimeout(timeout)
            self._http.request(method, path, None if body is None else json.dumps(body), headers)
            reply = self._http.getresponse()
            text = reply.read()
            if reply.will_close:
                self.close()
            return reply.status, json.loads(text)
        except (OSError, http.client.HTTPException, ValueError):
            self.close()
            raise

    def close(self):
        if self._http is not None:
            self._http.close()
        self._http = None

    def until_answered(self, method, path, body=None, patience=120, first_timeout=None):
        """The JSON of a 200. Repeats the request, as clients do, while there is no answer or a 5xx."""
        end = time.monotonic() + patience
        timeout = first_timeout or 30
        while True:
            try:
                status, reply = self.once(method, path, body, timeout)
                if status == 200:
                    return reply
                if status < 500 and status != 429:
                    raise Refused(f"{method} {path}: {status} {reply}")
            except (OSError, http.client.HTTPException, ValueError):
                pass
            if time.monotonic() > end:
                raise GivenUp(f"{method} {path}")
            timeout = 30
            time.sleep(PAUSE_S)
