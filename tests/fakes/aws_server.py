"""A server on loopback with scripted answers: errors that the sandbox never gives, and lost answers."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; `reset` breaks the connection instead, after the whole request was read.

    `hangs`: it is not given before the test ends. `cut` breaks the connection after the body, which its own
    Content-Length says is longer.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    hangs: bool = False
    cut: bool = False


RESET = Answer(reset=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The operation of a JSON or query protocol request."""
        target = self.headers.get("X-Amz-Target", "")
        return target.rpartition(".")[2] or self.form.get("Action", [""])[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, list[str]]:
        return parse_qs(self.body.decode())


def json_error(code: str, message: str = "said so", *, status: int = 400) -> Answer:
    """In CodeDeploy's format."""
    body = json.dumps({"__type": f"com.amazonaws.codedeploy#{code}", "message": message})
    headers = {"x-amzn-RequestId": "request-1", "Content-Type": "application/x-amz-json-1.1"}
    return Answer(status=status, body=body.encode(), headers=headers)


def json_answer(**fields: object) -> Answer:
    return Answer(body=json.dumps(fields).encode(), headers={"Content-Type": "application/x-amz-json-1.1"})


def s3_error(code: str, message: str = "said so", *, status: int, **headers: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, body=body.encode(), headers={"Content-Type": "application/xml", **named})


def xml_answer(body: str) -> Answer:
    return Answer(body=body.encode(), headers={"Content-Type": "text/xml"})


def ec2_error(code: str, message: str = "said so", *, status: int = 400) -> Answer:
    body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>request-1</RequestID></Response>"
    )
    return Answer(status=status, body=body.encode(), headers={"Content-Type": "text/xml"})


class AwsServer(ThreadingHTTPServer):
    """`script` holds the next answers, in order; the last one repeats.

    `answer_by` decides by the request instead. `requests` are those received.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Answer] = []
        self.answer_by: Callable[[Request], Answer] | None = None
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.test_ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: a client may disconnect before a late answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def forget(self) -> None:
        """Before each test: end what the last one left hanging."""
        self.script, self.answer_by, self.requests = [], None, []
        self.test_ended.set()
        self.test_ended = threading.Event()

    def answers(self, *answers: Answer) -> None:
        self.script = list(answers)

    def next_answer(self, request: Request) -> Answer:
        with self.lock:
            self.requests.append(request)
            if self.answer_by is not None:
                return self.answer_by(request)
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: the second would wait 40 ms for an ACK
    server: AwsServer

    def _answer(self) -> None:
        body, test_ended = self._body(), self.server.test_ended
        answer = self.server.next_answer(
            Request(method=self.command, path=self.path, headers=dict(self.headers), body=body)
        )
        if answer.hangs:
            test_ended.wait()
        if answer.reset:
            # Zero linger turns the close into a reset, as when a peer dies.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not answer.cut:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.cut

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - http.server's names

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:  # the connection was reset on purpose
            return

    def log_message(self, *said: object) -> None:
        """Logs nothing."""


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    server = AwsServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.test_ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def speak_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later sessions use this endpoint with the sandbox's keys and no config files."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
