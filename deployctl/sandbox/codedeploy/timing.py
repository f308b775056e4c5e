"""How long a simulated worker takes: drawn from the seed, in simulated seconds."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final

#: Created → InProgress, while the service looks up the instances.
QUEUE_S: Final = (2.0, 5.0)
#: A worker from its first event to its last, when nothing goes wrong.
WORKER_S: Final = (50.0, 70.0)
#: An event that no agent starts fails after this (CodeDeploy guide, "codedeploy-agent").
UNANSWERED_S: Final = 300.0
#: A terminated instance can hold its deployment this long (acquia/moonshot#7).
GONE_S: Final = 3600.0
#: A stopping deployment waits this long for an instance that does not answer (a guess).
GIVE_UP_S: Final = 30.0
#: A run's limit (CodeDeploy quotas: 12 hours).
DEPLOYMENT_S: Final = 12 * 3600.0

#: Each event's share of a worker's time. An event without a script to run takes no time.
_WEIGHTS: Final = {
    "ApplicationStop": 8.0,
    "DownloadBundle": 12.0,
    "BeforeInstall": 5.0,
    "Install": 9.0,
    "AfterInstall": 6.0,
    "ApplicationStart": 8.0,
    "ValidateService": 12.0,
}


def queue_s(chance: random.Random) -> float:
    return chance.uniform(*QUEUE_S)


def durations_s(chance: random.Random, working: Collection[str]) -> dict[str, float]:
    """Simulated seconds of each event that has something to do; in total `WORKER_S`, regardless of the events."""
    total_s = chance.uniform(*WORKER_S)
    shares = {event: _WEIGHTS[event] * chance.uniform(0.8, 1.2) for event in working}
    whole = sum(shares.values())
    return {event: total_s * share / whole for event, share in shares.items()}
