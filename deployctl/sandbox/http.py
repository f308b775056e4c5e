"""The HTTP server: threads, keep-alive, loopback only."""

import io
import socket
import struct
from collections.abc import Callable
from typing import Any, Literal

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from deployctl.sandbox.request import Reply

LOOPBACK = "127.0.0.1"
# Many clients connect at once.
BACKLOG = 512
#: Headers that this server writes itself, or that a complete reply does not need.
OURS = frozenset({"connection", "content-length", "date", "server", "transfer-encoding"})

Answer = Callable[[dict[str, Any], bytes], Reply | Literal["reset"]]


class Server(ThreadedWSGIServer):
    """Serves `answer` on a listening socket."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, answer: Answer) -> None:
        self.answer = answer
        super().__init__(LOOPBACK, listening.getsockname()[1], _no_wsgi, Handler, fd=listening.fileno())


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback; port 0 picks a free port. Raises OSError when the port is in use."""
    return socket.create_server((LOOPBACK, port), backlog=BACKLOG)


def _no_wsgi(_environ: Any, _start_response: Any) -> Any:
    raise AssertionError("requests are answered by Handler.run_wsgi")


class Handler(MotoRequestHandler):
    """One connection. Unlike werkzeug's handler, it keeps the connection open and answers in one write."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        body = environ["wsgi.input"].read() if "wsgi.input_terminated" in environ else self._read(environ)
        answer = self.server.answer(environ, body)
        if answer == "reset":
            self._reset()
        else:
            self._send(answer)

    def _read(self, environ: dict[str, Any]) -> bytes:
        return bytes(self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0)))

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        length = str(len(reply.body))
        for name, value in reply.headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        head = io.BytesIO()
        stream, self.wfile = self.wfile, head
        self.end_headers()
        self.wfile = stream
        body = b"" if self.command == "HEAD" else reply.body
        self.wfile.write(head.getvalue() + body)

    def _reset(self) -> None:
        """Drop the connection so that the client sees it reset, not closed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are counted, not logged."""
