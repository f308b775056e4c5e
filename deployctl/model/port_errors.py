"""The errors of the ports: adapters and fakes raise the same ones."""

from datetime import datetime
from typing import Self

from deployctl.errors import Busy, Failed, Unreachable, UsageError
from deployctl.model.artifact import Artifact
from deployctl.model.command import shell_command, with_note
from deployctl.model.names import ApplicationName, AsgName, DeploymentId, GroupName, ReleaseId, Version
from deployctl.model.release import ReleaseInProgress


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".rstrip()


class ApplicationUnknown(UsageError, code="application-unknown"):
    """CodeDeploy has no application of this name in the account and region.

    `nearest` are applications that do exist, the likeliest first.
    """

    def __init__(self, application: ApplicationName, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(
            f"CodeDeploy has no application {application!r} in this account and region",
            noun=application,
            remedy=f"set application = {nearest[0]!r} in deployctl.toml"
            if nearest
            else "aws deploy list-applications   # then set application = … in deployctl.toml",
            details=(f"nearest: {', '.join(nearest)}",) if nearest else (),
        )


class GroupUnknown(UsageError, code="group-unknown"):
    """The application has no deployment group of this name."""

    def __init__(self, application: ApplicationName, group: GroupName) -> None:
        super().__init__(
            f"application {application!r} has no deployment group {group!r}",
            noun=group,
            remedy=shell_command(
                "aws", "deploy", "list-deployment-groups", "--application-name", application
            ),
        )


class UnknownAutoScalingGroup(UsageError, code="auto-scaling-group-unknown"):
    """A deployment group names an Auto Scaling group that does not exist."""

    def __init__(self, asgs: tuple[AsgName, ...]) -> None:
        super().__init__(
            f"no Auto Scaling group is called {', '.join(asgs[:5])}{' …' if len(asgs) > 5 else ''}",
            noun=asgs[0],
            remedy="create the Auto Scaling group, or remove it from its deployment group",
        )
        self.asgs = asgs


class AlarmUnknown(UsageError, code="alarm-unknown"):
    """CloudWatch has no alarm of this name in the account and region.

    `nearest` are alarms that do exist, the likeliest first.
    """

    def __init__(self, alarm: str, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(
            f"CloudWatch has no metric or composite alarm {alarm!r} in this account and region",
            noun=alarm,
            remedy=f"write {nearest[0]!r} instead under alarms in deployctl.toml"
            if nearest
            else "aws cloudwatch describe-alarms --alarm-types MetricAlarm CompositeAlarm"
            "   # then correct alarms = … in deployctl.toml",
            details=(
                *((f"nearest: {', '.join(nearest)}",) if nearest else ()),
                "CloudWatch lists composite alarms only if cloudwatch:DescribeAlarms is allowed on *",
            ),
        )
        self.alarm = alarm


class GroupBusy(Busy, code="group-busy"):
    """The deployment group already has an active deployment.

    `holder` is by which deployment, where CodeDeploy says it.
    """

    def __init__(self, group: GroupName, holder: DeploymentId | None, said: str = "") -> None:
        super().__init__(
            f"{group} is busy with {holder}" if holder else f"{group} cannot start a deployment now",
            noun=group,
            remedy="wait until that deployment finishes, then run the same command again",
            details=(said,) if said else (),
        )
        self.group = group
        self.holder = holder


class CreateDeploymentUncertain(Unreachable, code="create-deployment-uncertain"):
    """The answer to CreateDeployment was lost, so the deployment may have started."""

    def __init__(self, group: GroupName, said: str) -> None:
        super().__init__(
            f"CodeDeploy's answer was lost: a deployment of {group} may have started",
            noun=group,
            remedy="run the same command again: deployctl finds the deployment by its release marker",
            details=(said,),
        )
        self.group = group


class ConfigConflict(UsageError, code="deployment-config-conflict"):
    """A deployment configuration with deployctl's name for it has other settings."""

    def __init__(self, name: str, *, found: str, wanted: str) -> None:
        super().__init__(
            f"deployment configuration {name!r} keeps {found} healthy, not {wanted}",
            noun=name,
            remedy=shell_command(
                "aws", "deploy", "delete-deployment-config", "--deployment-config-name", name
            ),
        )


class VersionTaken(UsageError, code="version-taken"):
    """Another build was published under this version name."""

    def __init__(
        self, version: Version, *, commit: str | None, actor: str | None, published_at: datetime | None
    ) -> None:
        by = f" by {actor}" if actor else ""
        at = f" at {_at(published_at)}" if published_at else ""
        source = f"commit {commit[:12]}" if commit else "no commit"
        super().__init__(
            f"version {version} is taken: it was published{by}{at} from {source}",
            noun=version,
            remedy="run the same command with --existing to release that artifact, or choose another name",
        )

    @classmethod
    def of(cls, published: Artifact) -> Self:
        """By the artifact that has this version."""
        manifest = published.manifest
        return cls(
            manifest.version,
            commit=manifest.commit,
            actor=manifest.actor,
            published_at=manifest.created_at,
        )


class PublishInProgress(Busy, code="publish-in-progress"):
    """Another process is publishing this version: its bundle exists, its manifest does not yet."""

    def __init__(self, version: Version, wait_s: float) -> None:
        super().__init__(
            f"another process is publishing version {version}",
            noun=version,
            remedy=f"run the same command again in {max(1, round(wait_s / 60))} min, or choose another name",
        )


class RemovalInProgress(Busy, code="removal-in-progress"):
    """Another process is removing the version's artifact, or was interrupted while removing it."""

    def __init__(self, version: Version, wait_s: float) -> None:
        super().__init__(
            f"another process is removing the artifact of {version}",
            noun=version,
            remedy=f"run the same command again in {max(1, round(wait_s / 60))} min, or choose another name",
        )


class ArtifactDamaged(Failed, code="artifact-damaged"):
    """A bundle is missing, or is not the one that its manifest describes."""

    def __init__(self, version: Version, uri: str, why: str) -> None:
        what = f"the bundle of {version} {why}: {uri}"
        super().__init__(what, noun=version, remedy="restore that object, or release under another name")


class StateConflict(Busy, code="state-conflict"):
    """Another process wrote the application's state in the meantime."""

    def __init__(self, application: ApplicationName) -> None:
        what = f"another process changed the state of {application} in the meantime"
        super().__init__(what, noun=application, remedy="run the same command again")


class JournalConflict(Busy, code="journal-conflict"):
    """Another process writes the journal of this release."""

    def __init__(self, release: ReleaseId, number: int) -> None:
        super().__init__(
            f"another process wrote entry {number} of the journal of {release}",
            noun=release,
            remedy="wait until that deployctl exits, then run the same command again",
        )


class LeaseHeld(Busy, code="lock-held"):
    """Another process is releasing, rolling back or repairing this application.

    `who` names the holder: from one to the next it differs.
    """

    def __init__(
        self,
        application: ApplicationName,
        *,
        actor: str,
        host: str,
        pid: int,
        version: str,
        acquired_at: datetime,
        free_after_s: float,
    ) -> None:
        self.who = f"{version} by {actor} on {host} (pid {pid}) since {_at(acquired_at)}"
        super().__init__(
            f"{application} is being released: {self.who}",
            noun=application,
            remedy="deployctl attach   # watches the release",
            details=(
                "to wait for the lock: release, rollback and stop take --wait-for-lock 10m",
                "to release another version instead: deployctl release VERSION --supersede",
                "to see whether that process is still running: deployctl lock status",
                f"if that process has died, the lock expires in {free_after_s:.0f} s",
            ),
        )

    def waited(self, how_long: str) -> Self:
        """The same error after waiting so long for the lock."""
        self.details = (f"waited {how_long} for the lock", *self.details)
        return self


class LeaseContested(Busy, code="lock-contested"):
    """The lock changed holders faster than deployctl could read it."""

    def __init__(self, application: ApplicationName) -> None:
        what = f"the lock on {application} changes holders faster than deployctl can read it"
        super().__init__(what, noun=application, remedy="run the same command again")


class LeaseLost(Busy, code="lock-lost"):
    """Another process took the lock."""

    def __init__(self, application: ApplicationName, why: str) -> None:
        super().__init__(
            f"lost the lock on {application}: {why}",
            noun=application,
            remedy="run the same command again: running deployments continue, and deployctl finds them",
        )


class LeaseUncertain(Unreachable, code="lock-uncertain"):
    """S3 accepted no renewal of the lock for so long that another process may have taken it."""

    def __init__(self, application: ApplicationName, for_s: float) -> None:
        super().__init__(
            f"cannot confirm the lock on {application}: S3 has accepted no renewal for {for_s:.0f} s",
            noun=application,
            remedy="run the same command again once S3 answers: deployctl finds the running deployments",
        )


class RecordUnreadable(Failed, code="record-unreadable"):
    """This deployctl cannot read an object that deployctl wrote to S3. `why` says what is wrong with it.

    Remedy: restore an earlier version of the object, which `aws s3api list-object-versions` lists; or upgrade
    deployctl, if a newer one wrote it.
    """

    def __init__(self, uri: str, why: str, remedy: str | None = None) -> None:
        super().__init__(f"cannot read {uri}: {why}", noun=uri, remedy=remedy or _list_versions(uri))
        self.uri, self.why = uri, why


def _list_versions(uri: str) -> str:
    words = "restore an earlier version of it, or upgrade deployctl if a newer one wrote it"
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://"):
        return words
    command = shell_command("aws", "s3api", "list-object-versions", "--bucket", bucket, "--prefix", key)
    return with_note(command, words)


class LeaseUnreadable(RecordUnreadable, code="lease-unreadable"):
    """The object of the lock is no lease. Remedy: `deployctl lock release --force` once no deployctl is running."""

    def __init__(self, uri: str, why: str) -> None:
        replace = shell_command("deployctl", "lock", "release", "--force")
        super().__init__(uri, why, with_note(replace, "once no deployctl is running for this application"))


class ReleaseUnfinished(Busy, code="release-unfinished"):
    """An earlier release is unfinished and must finish first."""

    def __init__(self, in_progress: ReleaseInProgress) -> None:
        super().__init__(
            f"{in_progress} is unfinished",
            noun=in_progress.release,
            remedy="deployctl attach   # resumes the release; then run the same command again",
            details=(
                "to stop it: deployctl stop; to roll it back: deployctl rollback",
                "to stop it and release another version: deployctl release VERSION --supersede",
            ),
        )
