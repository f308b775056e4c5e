"""The rows of the lake's history tables; a snapshot's row is in `fleet`.

Each dataclass is its table's schema: one column a field, in this order. Only `str`, `int`, `bool` and
`datetime` (UTC). Once released, columns are only ever added, at the end, and nullable.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """The outcome of one release in one group: a row of `releases`, written once the group has finished.

    `verdict` is a model.verdict.Verdict. The workers are counted by their own verdicts.
    """

    release_id: str
    application: str
    version: str
    sequence: int
    actor: str
    group_name: str
    deployment_id: str | None
    strategy: str
    verdict: str
    reason: str | None
    started_at: datetime
    finished_at: datetime
    previous_version: str | None
    workers: int
    workers_verified: int
    workers_excused: int
    workers_failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentTargetRow:
    """The outcome of one instance in one deployment: a row of `deployment_targets`.

    `status`, `event` and `error_code` are CodeDeploy's, of the failed or last event; `verdict` is a
    model.verdict.WorkerVerdict. Keep `log_tail` under 500 characters.
    """

    release_id: str
    application: str
    group_name: str
    deployment_id: str
    instance_id: str
    version: str
    status: str
    verdict: str
    event: str | None
    error_code: str | None
    script: str | None
    message: str | None
    log_tail: str | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRow:
    """A time in which one worker stayed unchanged: a row of `fleet_spans`, compacted from a day's snapshots.

    `category` is a model.cause.Category and `cause` a model.cause.Cause, both as `reconcile.sql` gave them.
    `deployed_version` is the worker's own tag. No span outlives its day (UTC): a span over midnight is a row in
    each day; `minutes` is `ended_at` less `began_at`, rounded.
    """

    application: str
    group_name: str
    asg: str
    instance_id: str
    desired_version: str | None
    deployed_version: str | None
    category: str
    cause: str | None
    began_at: datetime
    ended_at: datetime
    minutes: int
