"""What time it is: this machine's clock, corrected by the Date of AWS's answers."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.session import Aws

OFF = timedelta(minutes=4)


def answer(clock: SystemClock, *, ahead: timedelta) -> None:
    """An answer of an AWS whose clock is this far behind ours."""
    clock.on_response({"headers": {"date": format_datetime(datetime.now(UTC) - ahead, usegmt=True)}})


def off(clock: SystemClock) -> timedelta:
    return datetime.now(UTC) - clock.now()


@pytest.mark.parametrize("ahead", [OFF, -OFF, timedelta(days=400)])
def test_the_time_is_awss_and_one_warning_says_so(ahead):
    said: list[str] = []
    clock = SystemClock(said.append)
    answer(clock, ahead=ahead)
    answer(clock, ahead=ahead)
    assert abs(off(clock) - ahead) < timedelta(seconds=5)
    (warning,) = said
    assert ("ahead of AWS's" in warning) == (ahead > timedelta(0))


def test_a_clock_that_is_right_up_to_the_way_of_an_answer_is_kept():
    said: list[str] = []
    clock = SystemClock(said.append)
    answer(clock, ahead=timedelta(seconds=3))
    assert off(clock) < timedelta(seconds=1)
    assert said == []


@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": None}])
def test_an_answer_without_a_date_changes_nothing(headers):
    clock = SystemClock()
    clock.on_response({"headers": headers})
    assert off(clock) < timedelta(seconds=1)


@pytest.fixture
def slow_clocked_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """S3 by a clock that is OFF behind."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def date_time_string(self, timestamp: float | None = None) -> str:
            return format_datetime(datetime.now(UTC) - OFF, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            pass

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("slow_clocked_s3")
def test_every_answer_of_a_session_corrects_the_clock():
    clock = SystemClock()
    aws = Aws(region="eu-west-1", profile=None, calls=CallCounter(), clock=clock)
    with pytest.raises(aws.s3.exceptions.ClientError):
        aws.s3.head_object(Bucket="a-bucket", Key="k")
    assert abs(off(clock) - OFF) < timedelta(seconds=5)
