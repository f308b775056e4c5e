"""The release marker: the description by which deployctl finds a release's deployments again."""

from __future__ import annotations

import re

from deployctl.model.names import ReleaseId, Version


def deployment_description(
    release_id: ReleaseId, version: Version, *, repairs: ReleaseId | None = None
) -> str:
    """The description of every deployment of a release: a re-run finds its deployments by it.

    CreateDeployment has no idempotency token, so this is what keeps a second deployment from being started. That
    of a repair names the release which it makes good, too.
    """
    own = f"deployctl release={release_id} version={version}"
    return own if repairs is None else f"{own} repairs={repairs}"


def release_id_in(description: str) -> ReleaseId | None:
    """The release whose mark this is, or None."""
    found = re.match(r"deployctl release=(\S+) ", description)
    return ReleaseId(found[1]) if found else None


def repaired_release_id_in(description: str) -> ReleaseId | None:
    """The release that the deployment with this mark makes good, or None where it is not a repair's."""
    found = re.fullmatch(r"deployctl release=\S+ version=\S+ repairs=(\S+)", description)
    return ReleaseId(found[1]) if found else None
