"""The way to a server's federation port, which can be shut as if the network were cut."""

import socket
import threading

from servers import free_port


class Gate:
    """Forwards connections from a port of its own, which servers have in their names. While it is shut, they are refused."""

    def __init__(self):
        self.port = free_port()
        self.name = f"localhost:{self.port}"
        self._lock = threading.Lock()
        self._sockets = set()
        self.listener = None

    def leads_to(self, target_port):
        self.target_port = target_port
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def close(self):
        """Ends what goes through it, too."""
        if self.listener is None:
            return
        with self._lock:
            listener, self.listener = self.listener, None
            open_now, self._sockets = self._sockets, set()
        for one in (listener, *open_now):
            end(one)

    def _accept(self, listener):
        while True:
            try:
                incoming, _ = listener.accept()
            except OSError:
                return
            try:
                outgoing = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                end(incoming)
                continue
            with self._lock:
                shut = self.listener is not listener
                if not shut:
                    self._sockets |= {incoming, outgoing}
            if shut:
                end(incoming)
                end(outgoing)
                continue
            threading.Thread(target=self._connect, args=(incoming, outgoing), daemon=True).start()

    def _connect(self, incoming, outgoing):
        back = threading.Thread(target=forward, args=(outgoing, incoming), daemon=True)
        back.start()
        forward(incoming, outgoing)
        back.join()
        with self._lock:
            self._sockets -= {incoming, outgoing}
        end(incoming)
        end(outgoing)


def forward(source, sink):
    """Until one side ends; tells the other."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        end(source)
        end(sink)


def end(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
