"""The release marker: the deployment description by which deployctl finds a release's deployments again."""

import re

from deployctl.model.names import ReleaseId, Version


def deployment_description(
    release_id: ReleaseId, version: Version, *, repairs: ReleaseId | None = None
) -> str:
    """The release marker that every deployment of a release has as its description.

    CreateDeployment has no idempotency token: a re-run finds the deployment by this marker instead of starting a
    second one. A repair's marker also names the release that it repairs.
    """
    own = f"deployctl release={release_id} version={version}"
    return own if repairs is None else f"{own} repairs={repairs}"


def release_id_in(description: str) -> ReleaseId | None:
    """The release that the marker names, or None if the description is no marker."""
    found = re.match(r"deployctl release=(\S+) ", description)
    return ReleaseId(found[1]) if found else None


def repaired_release_id_in(description: str) -> ReleaseId | None:
    """The release that a repair's marker says it repairs, or None."""
    found = re.fullmatch(r"deployctl release=\S+ version=\S+ repairs=(\S+)", description)
    return ReleaseId(found[1]) if found else None
