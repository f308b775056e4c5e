"""A CodeDeploy over fakes: instances and bundles in memory, and a clock that tests move."""

from __future__ import annotations

import io
import tarfile
import zipfile
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest

from deployctl.sandbox.codedeploy import CodeDeploy
from deployctl.sandbox.s3 import EtagMismatch
from deployctl.sandbox.unsupported import NOT_MODELLED, Refused
from tests.fakes.manual_simulation import ManualSimulation

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MODEL = botocore.session.get_session().get_service_model("codedeploy")
OPERATION_BY_METHOD = {
    "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_"): name
    for name in MODEL.operation_names
}
ERROR_CODES = {NOT_MODELLED, *(shape.name for shape in MODEL.error_shapes)}

HOOKS = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
SELF_TAGGING = "#!/bin/sh\naws ec2 create-tags --tags Key=deployctl:version,Value=$V\n"


def appspec(hooks=HOOKS, *, timeout_s=120, head="version: 0.0\nos: linux\n"):
    scripts = [
        f"  {hook}:\n    - location: hooks/{hook}.sh\n      timeout: {timeout_s}\n      runas: root\n"
        for hook in hooks
    ]
    return "".join([head, "hooks:\n" if hooks else "", *scripts])


def files_of(version="v1", hooks=HOOKS, **changes):
    """A worker's bundle, by path: text, or (text, mode). `None` in `changes` leaves a file out."""
    files = {
        "appspec.yml": appspec(hooks),
        "REVISION": f"application=shop\nversion={version}\ncommit=abc{version}\n",
        **{f"hooks/{hook}.sh": ("#!/bin/sh\n", 0o755) for hook in hooks},
    }
    if "ValidateService" in hooks:
        files["hooks/ValidateService.sh"] = (SELF_TAGGING, 0o755)
    files.update(changes)
    return {name: content for name, content in files.items() if content is not None}


def tgz(files, *, mode="w:gz", prefix=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in files.items():
            text, bits = content if isinstance(content, tuple) else (content, 0o644)
            data = text if isinstance(text, bytes) else text.encode()
            info = tarfile.TarInfo(prefix + name)
            info.size, info.mode = len(data), bits
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            text, bits = content if isinstance(content, tuple) else (content, 0o644)
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100000 | bits) << 16
            archive.writestr(info, text)
    return out.getvalue()


class FakeBundles:
    def __init__(self):
        self.objects: dict[tuple[str, str], tuple[str, bytes]] = {}

    def put(self, key, content, etag="e1"):
        self.objects["bundles", key] = (etag, content)

    def delete(self, key):
        del self.objects["bundles", key]

    def read(self, bucket, key, etag):
        actual, content = self.objects[bucket, key]
        if etag is not None and etag != actual:
            raise EtagMismatch(actual)
        return content


class FakeMembers:
    """Auto Scaling groups as dicts; tests call `launch`, `terminate` and `lose`."""

    def __init__(self, world):
        self.world = world
        self.asgs: dict[str, dict[str, SimpleNamespace]] = {}
        self.hooks: dict[str, set[str]] = {}
        self.suspended: dict[str, set[str]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.stopped: set[str] = set()
        self.launches: list[tuple[str, bool]] = []
        self.terminations: list[str] = []
        self._on_launch, self._on_terminating, self._on_gone = [], [], []

    def add(self, asg, count, *, state="InService", prefix="i-"):
        members = self.asgs.setdefault(asg, {})
        for number in range(len(members), len(members) + count):
            self._put(asg, f"{prefix}{asg}-{number:02}", state)
        return list(members)

    def _put(self, asg, instance_id, state):
        self.asgs.setdefault(asg, {})[instance_id] = SimpleNamespace(
            instance_id=instance_id, lifecycle_state=state
        )

    def launch(self, asg, instance_id):
        self._put(asg, instance_id, "Pending:Wait")
        held = [callback(asg, instance_id) for callback in self._on_launch]
        if not any(held):
            self._put(asg, instance_id, "InService")

    def scale_in(self, asg, instance_id):
        self._put(asg, instance_id, "Terminating:Wait")
        held = [callback(asg, instance_id) for callback in self._on_terminating]
        return any(held)

    def lose(self, asg, instance_id):
        """As a spot reclaim: gone at once."""
        del self.asgs[asg][instance_id]
        self.stopped.add(instance_id)
        for callback in self._on_gone:
            callback(asg, instance_id)

    def asg_exists(self, asg):
        return asg in self.asgs

    def of(self, asg):
        return list(self.asgs.get(asg, {}).values())

    def is_running(self, instance_id):
        return instance_id not in self.stopped

    def tag(self, instance_id, tags):
        self.tags.setdefault(instance_id, {}).update(tags)

    def has_launch_hook(self, asg, hook_name):
        return hook_name in self.hooks.get(asg, ())

    def put_hooks(self, asg, *, launch, terminate):
        self.hooks.setdefault(asg, set()).update(name for name in (launch, terminate) if name)

    def drop_hooks(self, asg, names):
        self.hooks[asg] -= set(names)

    def suspend(self, asg, processes, /):
        self._group(asg).update(processes)

    def resume(self, asg, processes, /):
        self._group(asg).difference_update(processes)

    def _group(self, asg):
        """The processes suspended there; raises as Auto Scaling does for a group that is gone."""
        if asg not in self.asgs:
            raise Refused("ValidationError", "AutoScalingGroup name not found - null")
        return self.suspended.setdefault(asg, set())

    def on_launch(self, callback):
        self._on_launch.append(callback)

    def on_terminating(self, callback):
        self._on_terminating.append(callback)

    def on_gone(self, callback):
        self._on_gone.append(callback)

    def complete_launch(self, asg, instance_id, *, proceed):
        self.launches.append((instance_id, proceed))
        self._put(asg, instance_id, "InService")
        if not proceed:
            self.lose(asg, instance_id)

    def complete_terminate(self, asg, instance_id):
        self.terminations.append(instance_id)
        self.lose(asg, instance_id)


def check_shape(shape, value, path="response"):
    """A response must be made of the model's members and types; raises AssertionError naming what is not."""
    kind = shape.type_name
    if kind == "structure":
        assert isinstance(value, dict), f"{path}: {value!r} is no structure"
        unknown = value.keys() - shape.members.keys()
        assert not unknown, f"{path}: the model has no {sorted(unknown)}"
        for name, member in value.items():
            check_shape(shape.members[name], member, f"{path}.{name}")
    elif kind == "list":
        assert isinstance(value, list), f"{path}: {value!r} is no list"
        for number, item in enumerate(value):
            check_shape(shape.member, item, f"{path}[{number}]")
    elif kind == "string":
        assert isinstance(value, str), f"{path}: {value!r} is no string"
        # The one value that AWS documents and its model lacks.
        allowed = [*shape.enum, "MOST_CONCURRENCY"] if shape.name == "MinimumHealthyHostsType" else shape.enum
        assert not allowed or value in allowed, f"{path}: {value!r} is not one of {allowed}"
    else:
        types = {"integer": int, "long": int, "boolean": bool, "timestamp": datetime}
        assert isinstance(value, types[kind]), f"{path}: {value!r} is no {kind}"
        assert kind == "boolean" or not isinstance(value, bool), f"{path}: {value!r} is no {kind}"


class Cloud:
    """The service under test. Every response is checked against botocore's model, every error code too."""

    def __init__(self, *, page_size=100, speed=1.0, seed=7):
        self.world = ManualSimulation(START, speed=speed, seed=seed)
        self.members = FakeMembers(self.world)
        self.bundles = FakeBundles()
        self.service = CodeDeploy(self.world, self.members, self.bundles, page_size=page_size)

    def __getattr__(self, method):
        name = OPERATION_BY_METHOD[method]
        shape = MODEL.operation_model(name).output_shape

        def call(**request: Any):
            response = getattr(self.service, method)(request)
            assert shape is not None or response == {}, f"{name} has no output"
            if shape is not None:
                check_shape(shape, response)
            return response

        return call

    def refusal(self, method, **request):
        with pytest.raises(Refused) as refused:
            getattr(self, method)(**request)
        assert refused.value.code in ERROR_CODES
        return refused.value

    def group(self, name="web", workers=6, *, config="CodeDeployDefault.OneAtATime", **members):
        """A deployment group over an Auto Scaling group of the same name; the instances' ids."""
        if "shop" not in self.service.store.applications:
            self.create_application(applicationName="shop")
        ids = self.members.add(name, workers)
        self.create_deployment_group(
            applicationName="shop",
            deploymentGroupName=name,
            deploymentConfigName=config,
            autoScalingGroups=[name],
            serviceRoleArn="arn:aws:iam::123456789012:role/codedeploy",
            **members,
        )
        return ids

    def bundle(self, version="v1", content=None, etag="e1", **changes):
        """Put a bundle into the bucket; its revision location."""
        content = tgz(files_of(version, **changes)) if content is None else content
        self.bundles.put(f"{version}.tar.gz", content, etag)
        return revision(version, etag)

    def deploy(self, version="v1", group="web", **members):
        return self.create_deployment(
            applicationName="shop",
            deploymentGroupName=group,
            revision=members.pop("revision", None) or revision(version),
            **members,
        )["deploymentId"]

    def released(self, version="v1", group="web", **members):
        """Deploy and wait for the end; the deployment's info."""
        deployment_id = self.deploy(version, group, **members)
        self.world.advance(3600 * 3)
        return self.info(deployment_id)

    def info(self, deployment_id):
        return self.get_deployment(deploymentId=deployment_id)["deploymentInfo"]

    def group_info(self, name="web"):
        return self.get_deployment_group(applicationName="shop", deploymentGroupName=name)[
            "deploymentGroupInfo"
        ]

    def target(self, deployment_id, instance_id):
        found = self.get_deployment_target(deploymentId=deployment_id, targetId=instance_id)
        return found["deploymentTarget"]["instanceTarget"]

    def statuses(self, deployment_id):
        ids = self.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        return {each: self.target(deployment_id, each)["status"] for each in ids}

    def failed_event(self, deployment_id, instance_id):
        events = self.target(deployment_id, instance_id)["lifecycleEvents"]
        (failed,) = [event for event in events if event["status"] == "Failed"]
        return failed["lifecycleEventName"], failed["diagnostics"]

    def events(self, *kinds):
        return [(event.kind, event.fields) for event in self.world.events.since(0, kinds or None)]

    def most_down(self, deployment_id):
        """The most workers that this deployment had down at one time, failed ones among them."""
        down, most = set(), 0
        for kind, fields in self.events("worker-down", "worker-up"):
            if fields["deployment_id"] == deployment_id:
                (down.add if kind == "worker-down" else down.discard)(fields["instance_id"])
                most = max(most, len(down))
        return most


def revision(version="v1", etag="e1", kind="tgz"):
    s3 = {"bucket": "bundles", "key": f"{version}.tar.gz", "bundleType": kind}
    return {"revisionType": "S3", "s3Location": s3 if etag is None else {**s3, "eTag": etag}}


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
def new_cloud():
    """For tests that need other options than the defaults."""
    return Cloud


@pytest.fixture
def bundles():
    """How bundles are made: `bundles.tgz(files)` and friends."""
    return Packing


class Packing:
    tgz = staticmethod(tgz)
    zipped = staticmethod(zipped)
    files = staticmethod(files_of)
    appspec = staticmethod(appspec)
    revision = staticmethod(revision)
