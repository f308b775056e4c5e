"""The sandbox's own HTTP API beside AWS's: faults, reclaims, scaling, alarms, and the record of events."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl

from deployctl.sandbox import faults
from deployctl.sandbox.cloudwatch import CloudWatch
from deployctl.sandbox.fleet.fleet import SPOT_NOTICE_S, Fleet
from deployctl.sandbox.fleet.groups import Group
from deployctl.sandbox.request import Reply
from deployctl.sandbox.simulation import Simulation
from deployctl.sandbox.unsupported import Refused

#: Lifecycle events that have hooks; the agent itself does DownloadBundle and Install.
HOOKED_EVENTS = ("ValidateService", "ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart")


#: The members of the query and of the JSON body.
Request = Mapping[str, Any]


class BadRequest(ValueError):
    """An invalid control request; the user reads its message."""


class ControlApi:
    """Answers `/_sandbox/…`. `stop` ends the server; `facts` are what `health` shows."""

    def __init__(
        self,
        world: Simulation,
        fleet: Fleet,
        alarms: CloudWatch,
        *,
        stop: Callable[[], None],
        facts: Mapping[str, Any],
    ) -> None:
        self._world = world
        self._fleet = fleet
        self._alarms = alarms
        self._stop = stop
        self._facts = facts
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "health"): self._health,
            ("GET", "workers"): self._workers,
            ("GET", "events"): self._events,
            ("GET", "calls"): self._calls,
            ("GET", "faults"): self._faults,
            ("POST", "inject"): self._inject,
            ("POST", "clear"): self._clear,
            ("POST", "reclaim"): self._reclaim,
            ("POST", "scale-out"): lambda request: self._scale(request, 1),
            ("POST", "scale-in"): lambda request: self._scale(request, -1),
            ("POST", "unhealthy"): self._unhealthy,
            ("POST", "alarm"): self._alarm,
            ("POST", "stop"): self._stopping,
        }

    def answer(self, name: str, environ: Mapping[str, Any], body: bytes) -> Reply:
        """The reply to `/_sandbox/<name>`; never raises."""
        method = environ["REQUEST_METHOD"]
        route = self._routes.get((method, name))
        if route is None:
            return _reply(404, {"error": f"unknown control request: {method} {name}"})
        if "HTTP_ORIGIN" in environ:
            return _reply(403, {"error": "web pages may not control the sandbox"})
        try:
            request = {**dict(parse_qsl(environ.get("QUERY_STRING", ""))), **json.loads(body or b"{}")}
            with self._world.lock:
                answer = route(request)
        except Refused as error:
            return _reply(400, {"error": error.message})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return _reply(400, {"error": str(error)})
        return _reply(200, answer)

    def _health(self, request: Request) -> dict[str, Any]:
        return {**self._facts, "instances": len(self._fleet.instances), "now": _time(self._world.now())}

    def _workers(self, request: Request) -> list[dict[str, Any]]:
        listed = {
            slot.instance_id: slot.lifecycle_state
            for group in self._fleet.groups.values()
            for slot in group.slots.values()
        }
        return [
            {
                "instance_id": instance.instance_id,
                "group": self._group_of(instance.asg),
                "state": listed.get(instance.instance_id, instance.state),
            }
            for instance in self._fleet.instances
        ]

    def _group_of(self, asg: str) -> str:
        group = self._fleet.groups.get(asg)
        queue = group.tags.get("deployctl:queue") if group else None
        return queue.value if queue else asg

    def _events(self, request: Request) -> list[dict[str, Any]]:
        kinds = request.get("kind")
        found = self._world.events.since(int(request.get("since") or 0), kinds.split(",") if kinds else None)
        return [{**e.fields, "seq": e.seq, "at": _time(e.at), "kind": e.kind} for e in found]

    def _calls(self, request: Request) -> dict[str, int]:
        return self._world.calls.by_operation()

    def _faults(self, request: Request) -> list[dict[str, Any]]:
        return [_fault_json(fault) for fault in self._world.faults.injected]

    def _inject(self, request: Request) -> dict[str, Any]:
        given = {name: value for name, value in request.items() if value is not None}
        kind = str(given.pop("kind", None))
        self._refuse_bad_fault(kind, given)
        if "for_s" in given and not given.get("after"):
            given["until"] = self._world.now() + timedelta(seconds=float(given.pop("for_s")))
        injected = _fault_json(self._world.faults.inject(kind, **given))
        self._world.events.record("fault-injected", **injected)
        return injected

    def _refuse_bad_fault(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Refuse a fault that could never hit a worker, a group or a request."""
        if kind not in faults.CLASSES:
            raise BadRequest(f"unknown fault {kind!r}; choose one of {', '.join(faults.CLASSES)}")
        known = faults.options(kind)
        unknown = [name for name in fields if name not in known]
        if unknown:
            raise BadRequest(f"{kind} takes no {unknown[0]}; it takes {', '.join(known)}")
        if fields.get("event", HOOKED_EVENTS[0]) not in HOOKED_EVENTS:
            raise BadRequest(f"no hook runs at {fields['event']}; hooks run at {', '.join(HOOKED_EVENTS)}")
        if "group" in fields:
            self._matching(str(fields["group"]))
        instance = str(fields.get("instance", "*"))
        if "instance" in fields and not any(
            fnmatchcase(i.instance_id, instance) for i in self._fleet.instances
        ):
            raise BadRequest(f"no instance matches {instance}")

    def _clear(self, request: Request) -> dict[str, int]:
        return {"cleared": self._world.faults.remove(request.get("fault_ids"))}

    def _reclaim(self, request: Request) -> dict[str, list[str]]:
        named = request.get("instance_ids")
        if named is not None and not named:
            raise BadRequest("the list of instances is empty; omit it to let the sandbox choose instances")
        ids = self._chosen(request) if named is None else list(named)
        self._fleet.reclaim(ids, notice_s=float(request.get("notice_s", SPOT_NOTICE_S)))
        return {"instance_ids": ids}

    def _chosen(self, request: Request) -> list[str]:
        """A count or a fraction of the workers in service, chosen by the seed."""
        slots = [
            slot.instance_id
            for group in self._matching(str(request.get("group", "*")))
            for slot in group.slots.values()
            if slot.lifecycle_state == "InService" and slot.instance.exists
        ]
        fraction = request.get("fraction")
        number = round(len(slots) * float(fraction)) if fraction is not None else int(request.get("count", 1))
        luck = self._world.chance("reclaim", len(self._world.events.since(0, ["spot-notice"])))
        return sorted(luck.sample(slots, min(number, len(slots))))

    def _matching(self, glob: str) -> list[Group]:
        """The groups whose queue or Auto Scaling group has a matching name."""
        found = [
            group
            for group in self._fleet.groups.values()
            if fnmatchcase(group.name, glob) or fnmatchcase(self._group_of(group.name), glob)
        ]
        if not found:
            raise BadRequest(f"no group matches {glob}")
        return found

    def _scale(self, request: Request, sign: int) -> list[dict[str, Any]]:
        changed = []
        for group in self._matching(str(request["group"])):
            desired = max(0, group.desired + sign * int(request.get("count", 1)))
            self._fleet.set_desired(group.name, desired)
            changed.append({"group": self._group_of(group.name), "asg": group.name, "desired": desired})
        return changed

    def _unhealthy(self, request: Request) -> dict[str, list[str]]:
        ids = list(request.get("instance_ids") or [])
        for instance_id in ids:
            self._fleet.slot(instance_id)  # refuse an unknown one before anything changes
        for instance_id in ids:
            self._fleet.set_health(instance_id, healthy=False)
        return {"instance_ids": ids}

    def _alarm(self, request: Request) -> dict[str, str]:
        name, state = str(request["name"]), str(request["state"])
        if name not in self._alarms.alarms:
            known = ", ".join(sorted(self._alarms.alarms)) or "none"
            raise BadRequest(f"unknown alarm {name}; alarms: {known}")
        reason = str(request.get("reason") or "set by hand")
        self._alarms.set_alarm_state({"AlarmName": name, "StateValue": state, "StateReason": reason})
        return {"name": name, "state": state, "reason": reason}

    def _stopping(self, request: Request) -> dict[str, bool]:
        self._stop()
        return {"stopping": True}


def _fault_json(fault: faults.Fault) -> dict[str, Any]:
    facts = asdict(fault)
    if facts.get("until") is not None:
        facts["until"] = _time(facts["until"])
    facts["fault"] = facts.pop("kind")
    return facts


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _reply(status: int, body: Any) -> Reply:
    return Reply(
        status=status,
        headers=[("Content-Type", "application/json")],
        body=json.dumps(body, default=str).encode(),
    )
