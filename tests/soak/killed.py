"""Kills releases at a request, repeats the command and compares the results."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployctl.errors import ExitCode
from deployctl.sandbox.constants import APPLICATION, BUCKET
from tests.cli.conftest import Repository, make_repository
from tests.fakes.fault_proxy import FaultProxy, Kill, Moment

PATIENCE_S = 180


@dataclass
class Matrix:
    """Kills releases of one repository in one sandbox; each point has its own version."""

    sandbox: Any
    proxy: FaultProxy
    folder: Path
    tried: int = 0
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repository: Repository = make_repository(self.folder, self.sandbox.env)
        self._versions = self._seen = 0
        self.groups = {w["group"] for w in self.sandbox.control.workers()}

    @property
    def figures(self) -> str:
        return f"{self.tried} points tried, {self.tried - len(self.broken)} survived"

    def requests(self) -> int:
        """How many requests an undisturbed release sends."""
        self._run(self._next_version(), None)
        return len(self.proxy.asked)

    def try_all(self, points: Iterable[Kill]) -> None:
        for point in points:
            self.try_one(point)

    def try_one(self, point: Kill) -> bool:
        """Whether the release reached this request, and so was killed."""
        version = self._next_version()
        self._look()
        code, _ = self._run(version, point)
        killed = self.proxy.killed
        if killed is None:
            assert code == ExitCode.DONE
            return False
        code, said = self._run(version, None)
        self.tried += 1
        wrong = list(self._wrong(version, code, said))
        where = f"{version} killed at request {point.number}, {killed}, {point.moment}"
        print(where, *(wrong or ["survived"]), sep="\n  ", flush=True)
        if wrong:
            self.broken.append("\n  ".join([where, *wrong]))
        return True

    def _next_version(self) -> str:
        self._versions += 1
        return f"v{self._versions}"

    def _run(self, version: str, kill: Kill | None) -> tuple[int, str]:
        """The exit code and all output."""
        self.proxy.arm(kill)
        process = subprocess.Popen(
            [sys.executable, "-m", "deployctl", "release", version],
            cwd=self.repository.folder,
            env={**self.repository.env, "AWS_ENDPOINT_URL": self.proxy.url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # The process takes far longer to start than this line.
        self.proxy.aim(process.pid)
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
        return process.returncode, said

    def _look(self) -> list[dict[str, Any]]:
        """What happened in the sandbox since the last call."""
        events = self.sandbox.control.events(since=self._seen)
        self._seen = events[-1]["seq"] if events else self._seen
        return list(events)

    def _wrong(self, version: str, code: int, said: str) -> Iterable[str]:
        """Every difference from an undisturbed release."""
        if code != ExitCode.DONE:
            yield f"the second run exited with {code}: {said[-2_000:]}"
        created = [e for e in self._look() if e["kind"] == "deployment-created" and e["creator"] == "user"]
        times = Counter(e["group"] for e in created)
        if times != Counter(self.groups):
            yield f"deployments by group: {dict(times)}"
        state = self._read(f"state/{APPLICATION}.json")["groups"]
        for group in sorted(self.groups):
            desired = state.get(group, {})
            if (desired.get("version"), desired.get("verdict")) != (version, "verified"):
                yield f"the desired version of {group} is {desired}"
        releases = {desired["release"] for desired in state.values()}
        if len(releases) != 1:
            yield f"{len(releases)} releases of one version: {releases}"
        yield from self._wrong_tags(version, releases)
        yield from self._wrong_journals(version, releases)
        if not self._read(f"lease/{APPLICATION}.json")["released"]:
            yield "the lease is not free"

    def _wrong_tags(self, version: str, releases: set[str]) -> Iterable[str]:
        groups = {w["instance_id"]: w["group"] for w in self.sandbox.control.workers()}
        pages = self.sandbox.client("ec2").get_paginator("describe_instances").paginate()
        tags = {
            i["InstanceId"]: {t["Key"]: t["Value"] for t in i.get("Tags", [])}
            for page in pages
            for r in page["Reservations"]
            for i in r["Instances"]
        }
        for instance_id, group in groups.items():
            has = tags[instance_id]
            said = tuple(has.get(f"deployctl:{name}") for name in ("version", "group", "release"))
            if said[:2] != (version, group) or said[2] not in releases:
                yield f"{instance_id} of {group} is tagged {said}"

    def _wrong_journals(self, version: str, releases: set[str]) -> Iterable[str]:
        """Every release of this version numbered its journal entries without a gap and finished.

        One that died between its intention and the state, which then never named it, has begun nothing: the same
        command begins another.
        """
        journals = self._journals(version)
        if not journals:
            yield f"{version} has no journal"
        for release, entries in journals.items():
            kinds = [kind for _, kind in entries]
            if release not in releases and kinds == ["intent"]:
                continue
            if [number for number, _ in entries] != list(range(1, len(entries) + 1)):
                yield f"the journal of {release} has a gap: {entries}"
            if kinds.count("finished") != 1 or kinds[-1] != "finished":
                yield f"the journal of {release} says {', '.join(kinds)}"

    def _journals(self, version: str) -> dict[str, list[tuple[int, str]]]:
        """The number and kind of each entry of each release of this version."""
        root = f"journal/{APPLICATION}/"
        pages = (
            self.sandbox.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=root)
        )
        keys: dict[str, list[str]] = {}
        for key in (item["Key"] for page in pages for item in page.get("Contents", [])):
            keys.setdefault(key.split("/")[2], []).append(key)
        return {
            release: [(int(Path(key).stem), self._read(key)["entry"]["kind"]) for key in sorted(of_one)]
            for release, of_one in keys.items()
            if self._read(min(of_one))["entry"]["version"] == version
        }

    def _read(self, key: str) -> Any:
        return json.loads(self.sandbox.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def sample(requests: int, *, points: int, seed: int) -> list[Kill]:
    """Points spread over a whole release; every moment occurs equally often."""
    chance = random.Random(seed)
    moments = list(Moment)
    return [
        Kill(number=1 + int((n + chance.random()) * requests / points), moment=moments[n % len(moments)])
        for n in range(points)
    ]
