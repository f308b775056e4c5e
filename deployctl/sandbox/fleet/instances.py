"""EC2 instances: their states, reasons and tags."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

InstanceState = Literal["pending", "running", "shutting-down", "terminated"]
STATE_CODES: dict[InstanceState, int] = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48}

#: Auto Scaling's own tag: the instance's group.
ASG_TAG = "aws:autoscaling:groupName"
TAGS_PER_INSTANCE = 50
IDS_PER_TAG_CALL = 1_000
TAGS_LATE_S = 10.0
KEY_LENGTH = 128
VALUE_LENGTH = 256
_INSTANCE_ID = re.compile("i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
#: A new instance is described before it can be tagged; AWS promises no figure (simulated seconds).
TAGGABLE_AFTER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReason:
    """Why an instance left `running`: `StateReason` and `StateTransitionReason` of DescribeInstances."""

    code: str
    message: str
    transition: str


def spot_termination() -> StateReason:
    code = "Server.SpotInstanceTermination"
    return StateReason(code=code, message=f"{code}: Instance terminated due to spot reclaim", transition=code)


def user_termination(now: datetime) -> StateReason:
    """The reason after TerminateInstances, called by a user or by Auto Scaling on the user's behalf."""
    code = "Client.UserInitiatedShutdown"
    return StateReason(
        code=code,
        message=f"{code}: User initiated shutdown",
        transition=f"User initiated ({now:%Y-%m-%d %H:%M:%S} GMT)",
    )


@dataclass(slots=True, kw_only=True)
class Instance:
    """One EC2 instance; `number` counts launches and orders pages."""

    number: int
    instance_id: str
    asg: str
    zone: str
    private_ip: str
    launched_at: datetime
    tags: dict[str, str]
    state: InstanceState = "pending"
    reason: StateReason | None = None
    instance_type: str = "c6i.large"

    @property
    def exists(self) -> bool:
        return self.state in ("pending", "running")


@dataclass(slots=True)
class Instances:
    """Every instance that EC2 still describes, in order of launch."""

    world: Simulation
    _by_id: dict[str, Instance] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __iter__(self) -> Iterator[Instance]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, instance_id: str) -> Instance | None:
        return self._by_id.get(instance_id)

    def launch(self, *, asg: str, zone: str, tags: Mapping[str, str], launched_at: datetime) -> Instance:
        number = next(self._numbers)
        luck = self.world.chance("instance", number)
        instance = Instance(
            number=number,
            instance_id=f"i-0{luck.getrandbits(64):016x}",
            asg=asg,
            zone=zone,
            private_ip=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            launched_at=launched_at,
            tags=dict(tags),
        )
        self._by_id[instance.instance_id] = instance
        return instance

    def forget(self, instance_id: str) -> None:
        self._by_id.pop(instance_id, None)

    def named(self, instance_ids: Iterable[str]) -> list[Instance]:
        """These instances, in the given order. Raises InvalidInstanceID.NotFound naming all that are unknown."""
        ids = list(dict.fromkeys(instance_ids))
        refuse_unknown([i for i in ids if i not in self._by_id])
        return [self._by_id[i] for i in ids]

    def tag(self, instance_ids: Iterable[str], tags: Mapping[str, str]) -> None:
        """Tag all of these or none. Source: EC2 API, CreateTags."""
        found = self._taggable(instance_ids)
        refuse_bad_tags(tags)
        for instance in found:
            own = [key for key in {**instance.tags, **tags} if not key.startswith("aws:")]
            if len(own) > TAGS_PER_INSTANCE:
                raise Refused(
                    "TagLimitExceeded",
                    f"The maximum number of tags for a resource ({TAGS_PER_INSTANCE}) has been reached"
                    f" on {instance.instance_id}",
                )
        for instance in found:
            self._write(instance, dict(tags))

    def _write(self, instance: Instance, tags: dict[str, str]) -> None:
        """EC2's tags are eventually consistent: the fault "tags-late" delays them."""
        group = instance.tags.get("deployctl:group", instance.asg)
        late = self.world.faults.match_worker(
            instance.instance_id, group, event="CreateTags", kinds=("tags-late",)
        )
        if late is None:
            instance.tags.update(tags)
        else:
            self.world.after(TAGS_LATE_S, lambda: instance.tags.update(tags))

    def untag(self, instance_ids: Iterable[str], tags: Mapping[str, str | None]) -> None:
        """Remove tags; a tag with a given value is removed only if the value matches. Source: EC2 API, DeleteTags."""
        found = self._taggable(instance_ids)
        refuse_bad_tags({key: value or "" for key, value in tags.items()})
        for instance in found:
            for key, value in tags.items():
                if key in instance.tags and value in (None, instance.tags[key]):
                    del instance.tags[key]

    def _taggable(self, instance_ids: Iterable[str]) -> list[Instance]:
        ids = list(dict.fromkeys(instance_ids))
        if len(ids) > IDS_PER_TAG_CALL:
            raise Refused(
                "RequestResourceCountExceeded", f"The request names {len(ids)} resources; 1000 are allowed."
            )
        ripe = self.world.now() - timedelta(seconds=TAGGABLE_AFTER_S / self.world.speed)
        refuse_unknown([i for i in ids if not _is_taggable(self._by_id.get(i), ripe)])
        return [self._by_id[i] for i in ids]


def _is_taggable(instance: Instance | None, ripe: datetime) -> bool:
    return instance is not None and instance.state != "terminated" and instance.launched_at <= ripe


def refuse_unknown(instance_ids: list[str]) -> None:
    if not instance_ids:
        return
    malformed = [i for i in instance_ids if not _INSTANCE_ID.fullmatch(i)]
    if malformed:
        raise Refused("InvalidInstanceID.Malformed", f'Invalid id: "{malformed[0]}"')
    names = ", ".join(instance_ids)
    words = f"ID '{names}' does" if len(instance_ids) == 1 else f"IDs '{names}' do"
    raise Refused("InvalidInstanceID.NotFound", f"The instance {words} not exist")


def refuse_bad_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise Refused(
                "InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"
            )
        if not 1 <= len(key) <= KEY_LENGTH:
            raise Refused(
                "InvalidParameterValue", f"Tag key exceeds the maximum length of {KEY_LENGTH}: {key!r}"
            )
        if len(value) > VALUE_LENGTH:
            raise Refused(
                "InvalidParameterValue", f"Tag value exceeds the maximum length of {VALUE_LENGTH} characters"
            )
