"""CodeDeploy, EC2 and Auto Scaling in this process: the ports over the sandbox's own simulator, no HTTP.

Time passes only when a caller sleeps on the cloud's clock, so a release of many groups takes milliseconds.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from deployctl.aws.codedeploy_shapes import deployment_of, group_of, target_of
from deployctl.aws.fleet_shapes import activity_of, instance_of
from deployctl.model.deployment import Deployment, Revision, Target
from deployctl.model.fleet import SUSPENDABLE, Activity, Group, Instance
from deployctl.model.names import ApplicationName, AsgName, DeploymentId, GroupName, InstanceId
from deployctl.model.port_errors import GroupBusy, UnknownAutoScalingGroup
from deployctl.model.strategy import DeploymentConfig
from deployctl.ports import Tagged
from deployctl.sandbox import autoscaling_shapes, ec2_shapes
from deployctl.sandbox.codedeploy import CodeDeploy
from deployctl.sandbox.constants import CODEDEPLOY_ROLE_ARN
from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.groups import LAUNCHING, AsgTag
from deployctl.sandbox.simulation import Event
from deployctl.sandbox.unsupported import Refused
from tests.fakes.manual_simulation import ManualSimulation

APPLICATION = ApplicationName("shop")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BATCH = 25
PAGE = 100
HOOKS = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")


class SimClock:
    """The Clock port: sleeping moves the simulated world on. `skew` is how far this host's clock is ahead."""

    def __init__(self, world: ManualSimulation, skew: timedelta = timedelta()) -> None:
        self._world = world
        self.skew = skew
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        with self._world.lock:
            return self._world.now() + self.skew

    def monotonic_s(self) -> float:
        with self._world.lock:
            return (self._world.now() - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        with self._world.lock:
            self.slept_s.append(seconds)
            self._world.advance(seconds)


@dataclass(slots=True)
class Trouble:
    """An error for calls of operations that match the glob, within these seconds of the world's age.

    `done`: the call is carried out, and only its answer is lost.
    """

    operation: str
    error: Callable[[], BaseException]
    times: float = float("inf")
    from_s: float = 0.0
    until_s: float = float("inf")
    done: bool = False


@dataclass(slots=True)
class MemoryBundles:
    """What the simulated agents download."""

    bodies: dict[str, bytes] = field(default_factory=dict)

    def read(self, bucket: str, key: str, etag: str | None) -> bytes:
        return self.bodies[key]


def bundle(version: str, *, tags_itself: bool = True) -> bytes:
    """A worker's bundle: every hook, and a last one that tags the worker."""
    hooks = "".join(
        f"  {hook}:\n    - location: hooks/{hook}.sh\n      timeout: 120\n      runas: root\n"
        for hook in HOOKS
    )
    files = {
        "appspec.yml": f"version: 0.0\nos: linux\nhooks:\n{hooks}",
        "REVISION": f"application={APPLICATION}\nversion={version}\ncommit=abc\n",
        **{f"hooks/{hook}.sh": "#!/bin/sh\n" for hook in HOOKS},
    }
    if tags_itself:
        files["hooks/ValidateService.sh"] += "aws ec2 create-tags --tags Key=deployctl:version,Value=$V\n"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text), 0o755
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class SimCloud:
    """The Deployments, FleetReader and Tags ports of one simulated account.

    `calls` counts requests by operation, as AWS would. `lagging_reads` is how many reads a target lags behind
    what it is, `unlisted_s` for how long a new deployment is not listed, `full` are instances that refuse tags.
    While it is `deaf_to_stops` CodeDeploy answers Pending to stops, and continues.
    Safe to share by threads: everything is done under the world's lock.
    """

    def __init__(self, groups: Mapping[str, int] | None = None, *, seed: int = 7) -> None:
        self.world = ManualSimulation(START, seed=seed)
        self.fleet = Fleet(self.world)
        self.bundles = MemoryBundles()
        self.codedeploy = CodeDeploy(self.world, self.fleet, self.bundles)
        self.clock = SimClock(self.world)
        self.calls: Counter[str] = Counter()
        self.troubles: list[Trouble] = []
        self.full: set[InstanceId] = set()
        self.lagging_reads = 0
        self.unlisted_s = 0.0
        self.deaf_to_stops = False
        self._versions_of_target: dict[tuple[DeploymentId, InstanceId], list[Target]] = {}
        self.codedeploy.create_application({"applicationName": APPLICATION, "computePlatform": "Server"})
        for name, workers in (groups or {}).items():
            self.add_group(name, workers)

    # What a test does to the account.

    def add_group(self, name: str, workers: int, **members: object) -> None:
        """A deployment group over an Auto Scaling group `asg-<name>` with this many workers in service."""
        with self.world.lock:
            group = self.fleet.create_group(f"asg-{name}", desired=workers, max_size=3_000)
            for number in range(workers):
                self.fleet.seed_member(group, self.world.now() - timedelta(days=1, seconds=-number))
            request = {
                "applicationName": APPLICATION,
                "deploymentGroupName": name,
                "autoScalingGroups": [f"asg-{name}"],
                "serviceRoleArn": CODEDEPLOY_ROLE_ARN,
                **members,
            }
            self.codedeploy.create_deployment_group(request)

    def instance_ids(self, group: str) -> list[InstanceId]:
        """The instances that the group's Auto Scaling group lists, oldest first."""
        with self.world.lock:
            return [InstanceId(i) for i in self.fleet.groups[f"asg-{group}"].slots]

    def alive(self, group: str) -> list[Instance]:
        return [i for i in self._described([AsgName(f"asg-{group}")]) if i.is_alive]

    def tags_of(self, instance_id: str) -> dict[str, str]:
        with self.world.lock:
            found = self.fleet.instances.get(instance_id)
            return dict(found.tags) if found else {}

    def at(self, after_s: float, happen: Callable[[], object]) -> None:
        """Have something happen this many seconds from now."""
        self.world.after(after_s, lambda: [happen(), None][1])

    def reclaim(self, *instance_ids: str, notice_s: float = 0.0) -> None:
        with self.world.lock:
            self.fleet.reclaim(instance_ids, notice_s=notice_s)

    def scale(self, group: str, by: int) -> None:
        with self.world.lock:
            name = f"asg-{group}"
            self.fleet.set_desired(name, self.fleet.groups[name].desired + by)

    def set_aside(self, instance_id: str, *, shrink: bool = True) -> None:
        """Into Standby."""
        with self.world.lock:
            group, _ = self.fleet.slot(instance_id)
            self.fleet.moves.enter_standby(group, [instance_id], shrink=shrink)

    def bring_back(self, instance_id: str) -> None:
        """Out of Standby."""
        with self.world.lock:
            group, _ = self.fleet.slot(instance_id)
            self.fleet.moves.exit_standby(group, [instance_id])

    def detach(self, instance_id: str, *, shrink: bool = True) -> None:
        with self.world.lock:
            group, _ = self.fleet.slot(instance_id)
            self.fleet.moves.detach(group, [instance_id], shrink=shrink)

    def attach(self, group: str, instance_id: str) -> None:
        with self.world.lock:
            self.fleet.moves.attach(self.fleet.groups[f"asg-{group}"], [instance_id])

    def untag(self, instance_id: str, *keys: str) -> None:
        with self.world.lock:
            self.fleet.instances.untag([instance_id], dict.fromkeys(keys))

    def tag_group(self, asg: str, tags: Mapping[str, str]) -> None:
        with self.world.lock:
            self.fleet.groups[asg].tags.update({k: AsgTag(key=k, value=v) for k, v in tags.items()})

    def set_unhealthy(self, instance_id: str) -> None:
        with self.world.lock:
            self.fleet.set_health(instance_id, healthy=False)

    def inject(self, kind: str, *, times: int | None = None, **where: str) -> None:
        with self.world.lock:
            self.world.faults.inject(kind, times=times, **where)

    def trouble(
        self,
        operation: str,
        error: Callable[[], BaseException],
        *,
        times: float = float("inf"),
        from_s: float = 0.0,
        for_s: float = float("inf"),
        done: bool = False,
    ) -> Trouble:
        """Fail these calls, from `from_s` seconds from now on, for `for_s` seconds, so many `times`."""
        now_s = self.clock.monotonic_s()
        trouble = Trouble(operation, error, times, now_s + from_s, now_s + from_s + for_s, done)
        self.troubles.append(trouble)
        return trouble

    def deploy(
        self,
        group: str,
        version: str,
        *,
        config: str = "CodeDeployDefault.AllAtOnce",
        description: str = "",
    ) -> DeploymentId:
        """A deployment started in the console."""
        revision = self._revision(
            Revision(bucket="fake-bucket", key=f"artifacts/{APPLICATION}/{version}/bundle.tar.gz")
        )
        request = {
            "applicationName": APPLICATION,
            "deploymentGroupName": group,
            "deploymentConfigName": config,
            "revision": revision,
            "description": description,
        }
        return DeploymentId(self.codedeploy.create_deployment(request)["deploymentId"])

    def deploy_to_first(self, group: str, version: str) -> None:
        """The same to the group's first worker alone, to its end: the others stand aside meanwhile."""
        others = [self.fleet.groups[f"asg-{group}"].slots[i] for i in self.instance_ids(group)[1:]]
        for slot in others:
            slot.lifecycle_state = "Standby"
        self.deploy(group, version)
        self.clock.sleep(300)
        for slot in others:
            slot.lifecycle_state = "InService"

    def stop_in_console(self, group: str) -> None:
        """Stop whatever deployment holds the group's slot."""
        with self.world.lock:
            for holder in list(self.codedeploy.store.applications[APPLICATION].groups[group].holders):
                self.codedeploy.stop_deployment({"deploymentId": holder})

    def deployments_of(self, group: str, creator: str = "user") -> list[Deployment]:
        """Oldest first."""
        with self.world.lock:
            found = self.codedeploy.store.applications[APPLICATION].groups[group].deployments
            return [self._deployment(d.deployment_id) for d in found if d.creator == creator]

    def events(self, *kinds: str) -> list[Event]:
        with self.world.lock:
            return self.world.events.since(0, kinds or None)

    # The Deployments port.

    def groups(self, application: ApplicationName) -> list[Group]:
        with self._call("codedeploy:ListDeploymentGroups"):
            names = sorted(self.codedeploy.store.applications[application].groups)
        found: list[Group] = []
        for batch in _batches(names, PAGE):
            with self._call("codedeploy:BatchGetDeploymentGroups"):
                request = {"applicationName": application, "deploymentGroupNames": list(batch)}
                reply = self.codedeploy.batch_get_deployment_groups(request)
                found += [group_of(info) for info in reply["deploymentGroupsInfo"]]
        return found

    def ensure_config(self, config: DeploymentConfig) -> None:
        if config.min_healthy_percent is None:
            return
        with self._call("codedeploy:GetDeploymentConfig"):
            known = config.name in self.codedeploy.store.configs
        if not known:
            with self._call("codedeploy:CreateDeploymentConfig"):
                healthy = {"type": "FLEET_PERCENT", "value": config.min_healthy_percent}
                self.codedeploy.create_deployment_config(
                    {"deploymentConfigName": config.name, "minimumHealthyHosts": healthy}
                )

    def create(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        revision: Revision,
        config: DeploymentConfig,
        description: str,
        suspend_scaling: bool = False,
        outdated_only: bool = False,
        ignore_stop_failures: bool = False,
    ) -> DeploymentId:
        request = {
            "applicationName": application,
            "deploymentGroupName": group,
            "deploymentConfigName": config.name,
            "description": description,
            "fileExistsBehavior": "OVERWRITE",
            "updateOutdatedInstancesOnly": outdated_only,
            "ignoreApplicationStopFailures": ignore_stop_failures,
            "revision": self._revision(revision),
        }
        if suspend_scaling:
            request["ec2DeploymentOptions"] = {"autoScalingGroupProcessesToSuspend": list(SUSPENDABLE)}
        with self._call("codedeploy:CreateDeployment"):
            try:
                return DeploymentId(self.codedeploy.create_deployment(request)["deploymentId"])
            except Refused as error:
                if error.code != "DeploymentLimitExceededException":
                    raise
                holder = re.search(r"\bd-[A-Z0-9]{9}\b", str(error))
                raise GroupBusy(group, DeploymentId(holder[0]) if holder else None, str(error)) from error

    @staticmethod
    def _revision(revision: Revision) -> dict[str, object]:
        location = {"bucket": revision.bucket, "key": revision.key, "bundleType": "tgz"}
        return {
            "revisionType": "S3",
            "s3Location": location if revision.etag is None else {**location, "eTag": revision.etag},
        }

    def list_since(self, moment: datetime) -> list[Deployment]:
        listed_until = self.world.now() - timedelta(seconds=self.unlisted_s)
        ids = self._listed({"createTimeRange": {"start": moment, "end": max(moment, listed_until)}})
        return list(self.get_many(ids).values())

    def list_for_group(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        since: datetime | None = None,
        most: int | None = None,
    ) -> list[Deployment]:
        created = {} if since is None else {"createTimeRange": {"start": since}}
        ids = self._listed({"applicationName": application, "deploymentGroupName": group, **created})
        return list(self.get_many(ids[:most]).values())

    def _listed(self, asked: dict[str, object]) -> list[DeploymentId]:
        found: list[DeploymentId] = []
        token: dict[str, str] = {}
        while True:
            with self._call("codedeploy:ListDeployments"):
                reply = self.codedeploy.list_deployments({**asked, **token})
            found += reply["deployments"]
            if "nextToken" not in reply:
                return found
            token = {"nextToken": reply["nextToken"]}

    def get_many(self, ids: Sequence[DeploymentId]) -> dict[DeploymentId, Deployment]:
        found: dict[DeploymentId, Deployment] = {}
        for batch in _batches(list(dict.fromkeys(ids)), BATCH):
            with self._call("codedeploy:BatchGetDeployments"):
                found.update({i: self._deployment(i) for i in batch})
        return found

    def _deployment(self, deployment_id: str) -> Deployment:
        return deployment_of(
            self.codedeploy.get_deployment({"deploymentId": deployment_id})["deploymentInfo"]
        )

    def targets(
        self, deployment_id: DeploymentId, instance_ids: Sequence[InstanceId] | None = None
    ) -> list[Target]:
        record = self.codedeploy.store.deployments[deployment_id]
        wanted = instance_ids
        if wanted is None or not set(wanted) <= record.targets.keys():
            for _ in _batches(sorted(record.targets) or [""], PAGE):
                with self._call("codedeploy:ListDeploymentTargets"):
                    has = sorted(record.targets)
            wanted = [InstanceId(i) for i in has if wanted is None or i in wanted]
        found: list[Target] = []
        for batch in _batches(list(wanted), BATCH):
            with self._call("codedeploy:BatchGetDeploymentTargets"):
                request = {"deploymentId": deployment_id, "targetIds": list(batch)}
                infos = self.codedeploy.batch_get_deployment_targets(request)["deploymentTargets"]
                found += [self._lagging(t) for info in infos if (t := target_of(deployment_id, info))]
        return found

    def _lagging(self, target: Target) -> Target:
        """The target as this read shows it: perhaps as it was some reads ago."""
        versions = self._versions_of_target.setdefault((target.deployment_id, target.instance_id), [])
        versions.append(target)
        return versions[max(0, len(versions) - 1 - self.lagging_reads)]

    def stop(self, deployment_id: DeploymentId) -> None:
        with self._call("codedeploy:StopDeployment"):
            if self.deaf_to_stops:
                return
            try:
                self.codedeploy.stop_deployment({"deploymentId": deployment_id, "autoRollbackEnabled": False})
            except Refused as error:
                if error.code != "DeploymentAlreadyCompletedException":
                    raise

    # The FleetReader port.

    def instances(self, asgs: Sequence[AsgName]) -> list[Instance]:
        with self._call("ec2:DescribeInstances"):
            found = self._described(asgs)
        with self._call("autoscaling:DescribeAutoScalingGroups"):
            self._refuse_unknown(asgs)
        return found

    def _refuse_unknown(self, asgs: Sequence[AsgName]) -> None:
        unknown = tuple(a for a in asgs if a not in self.fleet.groups)
        if unknown:
            raise UnknownAutoScalingGroup(unknown)

    def _described(self, asgs: Sequence[AsgName]) -> list[Instance]:
        wanted = set(asgs)
        with self.world.lock:
            members = {
                i: autoscaling_shapes.instance(group, slot)
                for group in self.fleet.groups.values()
                if group.name in wanted
                for i, slot in group.slots.items()
            }
            described = [
                ec2_shapes.reservation(i)["Instances"][0] for i in self.fleet.instances if i.asg in wanted
            ]
        return [
            instance_of(info, members.get(info["InstanceId"]))  # type: ignore[arg-type]
            for info in sorted(described, key=lambda i: i["InstanceId"])
        ]

    def instance(self, instance_id: InstanceId) -> Instance | None:
        with self._call("ec2:DescribeInstances"):
            known = self.fleet.instances.get(instance_id)
        if known is None:
            return None
        if known.asg:
            with self._call("autoscaling:DescribeAutoScalingGroups"):
                pass
        return next(i for i in self._described([AsgName(known.asg)]) if i.instance_id == instance_id)

    def detached(self, groups: Sequence[GroupName], known: Collection[InstanceId]) -> list[Instance]:
        with self._call("ec2:DescribeTags"):
            tagged = [
                i.instance_id for i in self.fleet.instances if i.tags.get("deployctl:group") in set(groups)
            ]
        unknown = set(tagged) - set(known)
        if unknown:
            with self._call("ec2:DescribeInstances"):
                pass
        return [i for i in self._described([AsgName("")]) if i.instance_id in unknown and i.is_alive]

    def activities(self, asgs: Sequence[AsgName]) -> list[Activity]:
        found: list[Activity] = []
        for asg in asgs:
            with self._call("autoscaling:DescribeScalingActivities"):
                group = self.fleet.groups[asg]
                shown = [autoscaling_shapes.activity(group, a) for a in reversed(group.activities)]
            found += [activity_of(a) for a in shown]  # type: ignore[arg-type]
        return found

    def group_tags(self, asgs: Sequence[AsgName]) -> dict[AsgName, dict[str, str]]:
        with self._call("autoscaling:DescribeAutoScalingGroups"):
            self._refuse_unknown(asgs)
            return {a: {key: tag.value for key, tag in self.fleet.groups[a].tags.items()} for a in asgs}

    def launch_hooks(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        found: dict[AsgName, tuple[str, ...]] = {}
        for asg in asgs:
            with self._call("autoscaling:DescribeLifecycleHooks"):
                found[asg] = tuple(h.name for h in self.fleet.groups[asg].hooks_for(LAUNCHING))
        return found

    # The Scaling port.

    def capacities(self, asgs: Sequence[AsgName]) -> dict[AsgName, int]:
        with self._call("autoscaling:DescribeAutoScalingGroups"):
            self._refuse_unknown(asgs)
            return {a: self.fleet.groups[a].desired for a in asgs}

    def terminate_and_replace(self, instance_id: InstanceId) -> bool:
        with self._call("autoscaling:TerminateInstanceInAutoScalingGroup"):
            try:
                self.fleet.take_out(instance_id, shrink=False)
            except Refused:
                return False
            return True

    def suspended(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        with self._call("autoscaling:DescribeAutoScalingGroups"):
            self._refuse_unknown(asgs)
            return {a: tuple(sorted(self.fleet.groups[a].suspended)) for a in asgs}

    def resume(self, asg: AsgName, processes: Sequence[str]) -> None:
        if not processes:
            return
        with self._call("autoscaling:ResumeProcesses"):
            self.fleet.resume(asg, list(processes))

    # The Tags port.

    def tag(self, instance_ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Tagged:
        wanted, gone = list(dict.fromkeys(instance_ids)), list[InstanceId]()
        refused = {i: "TagLimitExceeded: too many tags" for i in wanted if i in self.full}
        wanted = [i for i in wanted if i not in self.full]
        while wanted:
            with self._call("ec2:CreateTags"):
                try:
                    self.fleet.instances.tag(wanted, tags)
                except Refused as error:
                    named = set(re.findall(r"i-[0-9a-f]+", str(error)))
                    gone += [i for i in wanted if i in named]
                    wanted = [i for i in wanted if i not in named]
                    continue
                break
        return Tagged(done=tuple(wanted), gone=tuple(gone), refused=refused or None)

    @contextmanager
    def _call(self, operation: str) -> Iterator[None]:
        """One request: counted, failed where a trouble matches, carried out under the world's lock."""
        with self.world.lock:
            self.calls[operation] += 1
            match = self._match(operation)
            if match is not None and not match.done:
                raise match.error()
            yield
            if match is not None:
                raise match.error()

    def _match(self, operation: str) -> Trouble | None:
        now_s = self.clock.monotonic_s()
        for trouble in self.troubles:
            fits = fnmatchcase(operation, trouble.operation) and trouble.from_s <= now_s < trouble.until_s
            if fits and trouble.times > 0:
                trouble.times -= 1
                return trouble
        return None


def _batches(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
