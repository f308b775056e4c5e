"""Who is releasing, from where, and under which new id."""

import getpass
import os
import secrets
import socket
from collections.abc import Mapping
from datetime import datetime

from deployctl.model.names import ReleaseId, Version
from deployctl.model.release import ReleaseKind
from deployctl.model.text import printable
from deployctl.ports import Holder

_CI_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR", "CIRCLE_USERNAME")


def actor(environment: Mapping[str, str]) -> str:
    """The person who started the CI job, else the user of this host."""
    for variable in _CI_ACTORS:
        if environment.get(variable):
            return printable(environment[variable])
    try:
        return printable(getpass.getuser())
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid-{os.getuid()}"


def new_release_id(now: datetime) -> ReleaseId:
    """Sorts by time: r-20250131T120000-3f9a1c."""
    return ReleaseId(f"r-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}")


def new_snapshot_id(now: datetime) -> str:
    return f"s-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def holder(
    release_id: ReleaseId,
    version: Version,
    *,
    who: str,
    now: datetime,
    kind: ReleaseKind = ReleaseKind.RELEASE,
) -> Holder:
    return Holder(
        actor=who,
        host=printable(socket.gethostname()),
        pid=os.getpid(),
        release=release_id,
        version=version,
        acquired_at=now,
        kind=kind,
    )
