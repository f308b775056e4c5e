"""A proxy on loopback between a process and the sandbox: counts its requests, and kills it at one of them."""

from __future__ import annotations

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Moment(StrEnum):
    """When the process is killed: before the request runs, before its answer arrives, or just after."""

    BEFORE = "before"
    SERVED = "served"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Request `number` counts from 1."""

    number: int
    moment: Moment


# Time to read an answer before the process dies of it.
_READING_S = 0.01
_BETWEEN_TWO_HOSTS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class FaultProxy(ThreadingHTTPServer):
    """Forwards to the server at this endpoint; the sandbox verifies no signature, so Host may name either.

    `asked` are the operations asked since `arm`, in order; `killed` is the one at which the process died.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self.arm(None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def arm(self, kill: Kill | None) -> None:
        """Reset the count for the next process; `aim` then sets the process."""
        with self._lock:
            self.asked: list[str] = []
            self.killed: str | None = None
            self._kill = kill
            self._victim: int | None = None

    def aim(self, pid: int) -> None:
        self._victim = pid

    def count(self, operation: str) -> Moment | None:
        """The moment of the kill if this is the chosen request, else None."""
        with self._lock:
            self.asked.append(operation)
            dies = self._kill is not None and len(self.asked) == self._kill.number
            return self._kill.moment if dies else None

    def kill(self, operation: str) -> None:
        """Kill the process and return once it has exited."""
        assert self._victim is not None, "no victim was set"
        self.killed = operation
        os.kill(self._victim, signal.SIGKILL)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: a killed client breaks its connections."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of the client, and its own connection to the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultProxy

    def setup(self) -> None:
        super().setup()
        self._behind = http.client.HTTPConnection(self.server.upstream)

    def finish(self) -> None:
        self._behind.close()
        with suppress(OSError):
            super().finish()

    def _pass_on(self) -> None:
        body = self._body()
        operation = operation_of(self.command, self.path, self.headers, body)
        moment = self.server.count(operation)
        if moment is Moment.BEFORE:
            self.server.kill(operation)
        if self.server.killed is not None:
            self.close_connection = True
            return
        answer, content = self._ask_behind(body)
        if moment is Moment.SERVED:
            self.server.kill(operation)
            self.close_connection = True
            return
        self._answer(answer, content)
        if moment is Moment.ANSWERED:
            time.sleep(_READING_S)
            self.server.kill(operation)

    def _body(self) -> bytes:
        """The whole body, without chunk lengths."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _ask_behind(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _BETWEEN_TWO_HOSTS}
        headers["Content-Length"] = str(len(body))
        self._behind.request(self.command, self.path, body=body, headers=headers)
        answer = self._behind.getresponse()
        return answer, answer.read()

    def _answer(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in _BETWEEN_TWO_HOSTS:
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def log_message(self, *said: object) -> None:
        """Logs nothing: `asked` records the requests."""


_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


def operation_of(method: str, path: str, headers: http.client.HTTPMessage, body: bytes) -> str:
    """A readable name: "CodeDeploy:CreateDeployment", "CreateTags", "PUT lease/shop.json"."""
    target = headers.get("X-Amz-Target")
    if target:
        return target.rpartition("_")[0] + ":" + target.rpartition(".")[2] if "_" in target else target
    if (action := _ACTION.search(body)) is not None:
        return action[1].decode()
    key = unquote(urlsplit(path).path).strip("/").partition("/")[2]
    return f"{method} {key or unquote(path)}"


@contextmanager
def killing_proxy(upstream: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(upstream)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
