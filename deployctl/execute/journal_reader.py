"""Reads a release's journal: its entries in order, as one record."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId, ReleaseId, Version
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.record_times import parse_time, require_zones
from deployctl.model.release import (
    GroupIntent,
    GroupOutcome,
    ReleaseIntent,
    StopKind,
    StopRequest,
    WorkerOutcome,
)
from deployctl.model.release_record import BakeRecord, ReleaseRecord
from deployctl.model.strategy import Strategy, StrategyKind
from deployctl.model.verdict import Verdict, WorkerVerdict

_INTENT = TypeAdapter(ReleaseIntent)


def intent_to_json(intent: ReleaseIntent) -> dict[str, Any]:
    """The intent as plain JSON values."""
    found: dict[str, Any] = _INTENT.dump_python(intent, mode="json")
    return found


def _intent_from_json(data: Mapping[str, Any], where: str) -> ReleaseIntent:
    """Raises: RecordUnreadable, which names `where` and the first wrong field; ValueError for a time with no zone."""
    try:
        intent = _INTENT.validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordUnreadable(where, f"{place}: {first['msg']}") from error
    require_zones(intent)
    return intent


def read_journal(release_id: ReleaseId, entries: Iterable[Mapping[str, Any]]) -> ReleaseRecord | None:
    """The record of these entries, None without any. Unknown kinds of entry change nothing.

    Raises: RecordUnreadable.
    """
    record = None
    for number, entry in enumerate(entries, start=1):
        try:
            at = parse_time(entry["at"])
            record = record or ReleaseRecord(
                release_id=release_id, version=Version(entry["version"]), began_at=at, last_at=at
            )
            record = _read(replace(record, last_at=at), entry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            why = f"entry {number}: {type(error).__name__}: {error}"
            raise RecordUnreadable(f"the journal of {release_id}", why) from error
    return record


def _read(record: ReleaseRecord, entry: Mapping[str, Any]) -> ReleaseRecord:
    at = record.last_at
    match entry.get("kind"):
        case "intent" | "intention":
            return _apply_intent(record, entry)
        case "started":
            return replace(record, deployments=_with_deployments(record, entry["deployments"]))
        case "outcomes":
            outcomes = {g["group"]: _read_outcome(record, g) for g in entry["groups"]}
            return replace(record, outcomes={**record.outcomes, **outcomes})
        case "baking":
            baking = BakeRecord(wave=int(entry["wave"]), at=at, until=parse_time(entry["until"]))
            return replace(record, baking=baking)
        case "stop-requested" | "stop-asked":
            asked = entry["request"]
            kind, asked_at = StopKind(asked["kind"]), parse_time(asked["at"])
            stop = StopRequest(release=record.release_id, kind=kind, actor=str(asked["actor"]), at=asked_at)
            return replace(record, stop=stop)
        case "finished":
            return replace(record, verdict=_verdict(entry["verdict"]), finished_at=at, baking=None)
        case _:
            return record


def _apply_intent(record: ReleaseRecord, entry: Mapping[str, Any]) -> ReleaseRecord:
    """A wave begins, again if the release is resumed."""
    intent = record.intent
    if entry.get("intent") is not None:
        intent = _intent_from_json(entry["intent"], f"the journal of {record.release_id}")
    wave = int(entry.get("wave", record.wave + 1))
    settled = {GroupName(g): _verdict(v) for g, v in entry.get("settled", {}).items()}
    return replace(
        record,
        intent=intent,
        began_at=intent.began_at if intent else record.began_at,
        wave=wave,
        waves_at={wave: record.last_at, **record.waves_at},
        settled={**record.settled, **settled},
        begun=record.begun | {GroupName(g) for g in entry["groups"]},
        baking=None,
        verdict=None,
        finished_at=None,
    )


def _with_deployments(
    record: ReleaseRecord, started: Mapping[str, str]
) -> dict[GroupName, tuple[DeploymentId, ...]]:
    found = dict(record.deployments)
    for name, deployment_id in started.items():
        known = found.get(GroupName(name), ())
        if deployment_id not in known:
            found[GroupName(name)] = (*known, DeploymentId(deployment_id))
    return found


def _read_outcome(record: ReleaseRecord, group: Mapping[str, Any]) -> GroupOutcome:
    name = GroupName(group["group"])
    intents = {g.group: g for g in record.intent.groups} if record.intent else {}
    # Journals of deployctl 0.1 have no intent, and nothing shows the strategy of such a group.
    unknown = GroupIntent(group=name, version=record.version, strategy=Strategy(StrategyKind.ALL))
    asgs = tuple(AsgName(a) for a in group.get("asgs", ()))
    return replace(
        intents.get(name, unknown).outcome(_verdict(group["verdict"]), asgs),
        deployment_id=group.get("deployment_id"),
        workers=tuple(_worker(w) for w in group.get("workers", ())),
        reason=group.get("reason"),
        finished_at=record.last_at,
    )


def _worker(worker: Mapping[str, Any]) -> WorkerOutcome:
    try:
        verdict = WorkerVerdict(worker["verdict"])
    except ValueError:
        verdict = WorkerVerdict.UNKNOWN
    return WorkerOutcome(InstanceId(worker["instance_id"]), verdict, worker.get("cause"))


def _verdict(text: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:  # a newer deployctl has one more
        return Verdict.UNKNOWN
