"""A worker's machine for the shipped hooks: an unpacked bundle, fake programs, a metadata service."""

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from deployctl.build.templates import init_files

REVISION = "application=shop\nversion=v7\ncommit=abc\n"
# Each fake program writes down its arguments, then does what a file of its name says.
RECORD = """#!/bin/sh
{ printf '%s\\n' "$(basename "$0")" "$@"; printf '\\036'; } >> "$(dirname "$0")/../calls"
"""
SYSTEMCTL = """
state="$(dirname "$0")/../unit"
case "$1" in
cat) [ -f "$state/known" ] ;;
stop | restart) [ ! -f "$state/$1-fails" ] ;;
is-active) [ -f "$state/active" ] ;;
show) n=$(cat "$state/pid"); echo "MainPID=$n"; [ ! -f "$state/flapping" ] || echo $((n + 1)) > "$state/pid" ;;
status) printf '\\342\\227\\217 shop.service \\377\\376 failed\\n'; yes x | head -c 5000 | tr -d '\\n'; echo ;;
esac
"""
AWS = """
n=$(cat "$(dirname "$0")/../aws-fails" 2>/dev/null || echo 0)
[ "$n" -gt 0 ] || exit 0
echo $((n - 1)) > "$(dirname "$0")/../aws-fails"
cat "$(dirname "$0")/../aws-says" >&2
exit 254
"""


@dataclass
class Metadata:
    """The instance metadata service, and the EC2 endpoint. Both write down what they were asked."""

    url: str
    tags: list[dict[str, list[str]]] = field(default_factory=list)
    without_token: list[str] = field(default_factory=list)


def _handler(metadata: Metadata) -> type[BaseHTTPRequestHandler]:
    role = {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": "AKIAWORKER",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2100-01-01T00:00:00Z",
        "LastUpdated": "2026-01-01T00:00:00Z",
    }
    answers = {
        "/latest/meta-data/instance-id": "i-0abc",
        "/latest/meta-data/placement/region": "eu-west-1",
        "/latest/meta-data/iam/security-credentials/": "worker",
        "/latest/meta-data/iam/security-credentials/worker": json.dumps(role),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._answer(200 if self.path == "/latest/api/token" else 404, "the-token")

        def do_GET(self) -> None:
            if self.headers["X-aws-ec2-metadata-token"] != "the-token":
                metadata.without_token.append(self.path)
                self._answer(401, "")
            else:
                self._answer(200 if self.path in answers else 404, answers.get(self.path, ""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            metadata.tags.append(parse_qs(body))
            self._answer(200, "<CreateTagsResponse><return>true</return></CreateTagsResponse>")

        def _answer(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "300")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            pass

    return Handler


@pytest.fixture
def metadata() -> Iterator[Metadata]:
    found = Metadata(url="")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(found)) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@dataclass
class Worker:
    """One machine. `unit` holds files that say how the unit behaves; `calls` are of the fake programs."""

    root: Path
    imds: str
    shell: str

    @property
    def app(self) -> Path:
        return self.root / "opt" / "app"

    @property
    def archive(self) -> Path:
        return self.root / "deployment archive"

    @property
    def unit(self) -> Path:
        return self.root / "unit"

    @property
    def calls(self) -> list[list[str]]:
        path = self.root / "calls"
        records = path.read_text().split("\036")[:-1] if path.exists() else []
        return [record.rstrip("\n").split("\n") for record in records]

    def calls_of(self, program: str) -> list[list[str]]:
        return [call[1:] for call in self.calls if call[0] == program]

    def fake(self, program: str, body: str = "") -> None:
        path = self.root / "bin" / program
        path.write_text(RECORD + body)
        path.chmod(0o755)

    def aws_fails(self, times: int, said: str) -> None:
        (self.root / "aws-fails").write_text(f"{times}\n")
        (self.root / "aws-says").write_text(said)

    def install(self, revision: str = REVISION) -> None:
        self.app.mkdir(parents=True, exist_ok=True)
        (self.app / "REVISION").write_text(revision)

    def set(self, name: str, value: str) -> None:
        """Change one line of worker.env."""
        settings = self.archive / "deploy" / "hooks" / "worker.env"
        settings.write_text(re.sub(f"(?m)^{name}=.*", f"{name}={value}", settings.read_text()))

    def run(self, script: str, *, group: str = "video", **more: str) -> subprocess.CompletedProcess[bytes]:
        """Run one hook with the agent's environment and nothing else; 20 s at most, pipes and all."""
        env = {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "LIFECYCLE_EVENT": "Event",
            "DEPLOYMENT_ID": "d-1",
            "APPLICATION_NAME": "shop",
            "DEPLOYMENT_GROUP_NAME": group,
            "DEPLOYMENT_GROUP_ID": "g-1",
            "BUNDLE_BUCKET": "bucket",
            "BUNDLE_KEY": "key",
            "BUNDLE_ETAG": "etag",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.imds,
            **more,
        }
        path = self.archive / "deploy" / "hooks" / script
        command = [path] if self.shell == "shebang" else [self.shell, path]
        return subprocess.run(command, cwd="/", env=env, capture_output=True, timeout=20, check=False)


@pytest.fixture(params=["shebang", "sh", "bash"])
def worker(tmp_path: Path, metadata: Metadata, request: pytest.FixtureRequest) -> Worker:
    """A machine whose unit shop.service is known, active and stays up; v7 is unpacked and installed."""
    machine = Worker(root=tmp_path, imds=metadata.url, shell=request.param)
    for name, file in init_files().items():
        path = machine.archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    (machine.archive / "REVISION").write_text(REVISION)
    machine.set("APP_DIR", str(machine.app))
    (tmp_path / "bin").mkdir()
    machine.unit.mkdir()
    for name in ("known", "active"):
        (machine.unit / name).touch()
    (machine.unit / "pid").write_text("100\n")
    machine.fake("systemctl", SYSTEMCTL)
    machine.fake("aws", AWS)
    machine.fake("sleep")
    machine.install()
    return machine
