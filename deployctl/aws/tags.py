"""The Tags port on CreateTags, where one bad instance fails the whole call."""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from deployctl.aws.batching import batches
from deployctl.aws.error_translation import code_of, message_of, translating
from deployctl.aws.session import Aws
from deployctl.model.names import InstanceId
from deployctl.model.text import count
from deployctl.ports import Tagged

INSTANCES_A_CALL = 1_000
# A thousand instances with a handful of bad ones take a few dozen calls; the bucket refills ten a second.
MOST_CALLS = 200

_GONE = "InvalidInstanceID.NotFound"
# Errors of a single instance, though they fail the whole call.
_OF_ONE = frozenset(
    {
        _GONE,
        "IncorrectInstanceState",
        "InvalidID",
        "InvalidInstanceID",
        "InvalidInstanceID.Malformed",
        "TagLimitExceeded",
    }
)


@dataclass(slots=True)
class _Tally:
    """The results so far, and the batches still to send."""

    waiting: deque[list[InstanceId]]
    done: list[InstanceId] = field(default_factory=list)
    gone: list[InstanceId] = field(default_factory=list)
    refused: dict[InstanceId, str] = field(default_factory=dict)
    calls: int = 0


class Ec2Tags:
    """Safe to share by threads."""

    def __init__(self, aws: Aws, *, most_calls: int = MOST_CALLS) -> None:
        self._aws = aws
        self._most_calls = most_calls

    def tag(self, instance_ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Tagged:
        """Makes at most `most_calls` calls for each 1,000 instances; the rest then counts as refused."""
        wanted = list(dict.fromkeys(instance_ids))
        tally = _Tally(waiting=deque(batches(wanted, INSTANCES_A_CALL)))
        budget = self._most_calls * max(1, len(tally.waiting))
        while tally.waiting and tally.calls < budget:
            batch = tally.waiting.popleft()
            tally.calls += 1
            self._tag_batch(batch, tags, tally)
        for batch in tally.waiting:
            tally.refused.update(dict.fromkeys(batch, "not tagged: too many other instances failed"))
        return Tagged(done=tuple(tally.done), gone=tuple(tally.gone), refused=tally.refused or None)

    def _tag_batch(self, batch: list[InstanceId], tags: Mapping[str, str], tally: _Tally) -> None:
        with translating("ec2:CreateTags", noun=count(len(batch), "instance")):
            try:
                self._aws.ec2.create_tags(
                    Resources=batch, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
                )
            except ClientError as error:
                if code_of(error) not in _OF_ONE:
                    raise
                _split_batch(batch, error, tally)
            else:
                tally.done += batch


def _split_batch(batch: list[InstanceId], error: ClientError, tally: _Tally) -> None:
    """Drop the instances named in the error's message, or else split the batch in two."""
    code = code_of(error)
    named = set(re.findall(r"\bi-[0-9a-f]+\b", message_of(error))) if code == _GONE else set()
    vanished = [i for i in batch if i in named]
    rest = [i for i in batch if i not in named]
    if vanished:
        tally.gone += vanished
        if rest:
            tally.waiting.append(rest)
    elif len(batch) > 1:
        middle = len(batch) // 2
        tally.waiting += [batch[:middle], batch[middle:]]
    elif code == _GONE:
        tally.gone += batch
    else:
        tally.refused[batch[0]] = f"{code}: {message_of(error)}"
