"""One object of each kind that deployctl reads back from S3, corrupted: what every verb says, and its exit code.

No verb ends with a traceback, and what cannot be read is named by its key, with a command.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from tests.cli.conftest import make_repository

VERBS = (
    ("reconcile", "--engine", "duckdb"),
    ("status",),
    ("history",),
    ("artifacts", "list"),
    ("explain", "{group}"),
    ("lock", "status"),
    ("logs", "last"),
    ("release", "v1", "--existing", "--redeploy", "--dry-run"),
)
#: Exit codes that a verb may have when an object is damaged: all but an internal error's.
ALLOWED = {0, 1, 2, 3, 5}


def naive_times(body: bytes) -> bytes:
    return body.replace(b"+00:00", b"").replace(b'Z"', b'"')


def infinite(body: bytes) -> bytes:
    return body.replace(b": 1", b": Infinity", 1) if b": 1" in body else b'{"schema": 1e999}'


CORRUPTIONS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda body: body[: len(body) // 2],
    "empty": lambda body: b"",
    "nested": lambda body: b"[" * 100_000,
    "infinite": infinite,
    "naive times": naive_times,
    "half a character": lambda body: body.replace(b'"v', b'"\\ud800v'),
    "null entry": lambda body: json.dumps({"schema": "deployctl.journal/1", "entry": None}).encode(),
    "binary": lambda body: random.Random(1).randbytes(200),
}
KINDS = ("state/", "artifacts/", "journal/", "lease/", "lake/v1/fleet_snapshots/", "lake/v1/releases/")


@pytest.fixture(scope="module")
def fleet(start_sandbox, tmp_path_factory):
    """A fleet on v1, with a journal, a snapshot and a lease that is free."""
    sandbox = start_sandbox(groups=2, workers=4, seed=83, speed=600.0)
    repository = make_repository(tmp_path_factory.mktemp("corrupted") / "repo", sandbox.env)
    assert repository.deployctl("release", "v1", "--json").code == 0
    assert repository.deployctl("reconcile", "--engine", "duckdb").code == 0
    return sandbox, repository


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_object_is_named_and_nothing_breaks(fleet, figures, kind):
    sandbox, repository = fleet
    s3, bucket = sandbox.client("s3"), "deployctl-sandbox"
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=kind)["Contents"]]
    key = next(k for k in reversed(keys) if not k.endswith("bundle.tar.gz"))
    whole = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    group = sandbox.control.workers()[0]["group"]
    try:
        for name, corrupt in CORRUPTIONS.items():
            s3.put_object(Bucket=bucket, Key=key, Body=corrupt(whole))
            codes = {}
            for verb in VERBS:
                done = repository.deployctl(*(word.format(group=group) for word in verb))
                codes[verb[0]] = done.code
                assert "Traceback" not in done.stderr + done.stdout, (name, verb, done.stderr[-2000:])
                assert "internal" not in done.stderr.lower(), (name, verb, done.stderr[-2000:])
                assert done.code in ALLOWED, (name, verb, done.stderr[-2000:])
            figures(f"{kind:<26} {name:<17} " + " ".join(f"{verb} {code}" for verb, code in codes.items()))
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=whole)
