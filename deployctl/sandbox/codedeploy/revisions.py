"""The API's application revisions. Only revisions in S3 are modelled."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from deployctl.sandbox.codedeploy.errors import CodeDeployError
from deployctl.sandbox.codedeploy.operation import Operations, Request, Response, operation
from deployctl.sandbox.codedeploy.records import Application, Revision, revision_key
from deployctl.sandbox.codedeploy.shapes import revision_info
from deployctl.sandbox.codedeploy.store import limited

DESCRIPTION_LIMIT: Final = 256
_BATCH: Final = 25
_SORT: Final = {
    "registerTime": lambda revision: revision.registered_at,
    "firstUsedTime": lambda revision: revision.first_used_at or datetime.min.replace(tzinfo=UTC),
    "lastUsedTime": lambda revision: revision.last_used_at or datetime.min.replace(tzinfo=UTC),
}


class RevisionOperations(Operations):
    @operation
    def register_application_revision(self, request: Request) -> Response:
        application = self.store.application(request)
        location = s3_revision(request.get("revision"))
        described = description(request)
        known = application.revisions.get(revision_key(location))
        if known is None:
            self._register(application, location, described or "")
        elif described is not None:
            known.description = described
        return {}

    @operation
    def get_application_revision(self, request: Request) -> Response:
        application = self.store.application(request)
        revision = application.revisions.get(revision_key(s3_revision(request.get("revision"))))
        if revision is None:
            raise CodeDeployError("RevisionDoesNotExistException", "The revision could not be found.")
        return {
            "applicationName": application.name,
            "revision": revision.location,
            "revisionInfo": revision_info(application, revision),
        }

    @operation
    def batch_get_application_revisions(self, request: Request) -> Response:
        """The revisions that are registered; others are told in `errorMessage`."""
        application = self.store.application(request)
        batch: list[Any] = limited(request.get("revisions"), _BATCH, "revisions")
        found = [application.revisions.get(revision_key(s3_revision(wanted))) for wanted in batch]
        missing = sum(revision is None for revision in found)
        return {
            "applicationName": application.name,
            "errorMessage": f"{missing} of the revisions could not be found." if missing else "",
            "revisions": [
                {
                    "revisionLocation": revision.location,
                    "genericRevisionInfo": revision_info(application, revision),
                }
                for revision in found
                if revision is not None
            ],
        }

    @operation
    def list_application_revisions(self, request: Request) -> Response:
        application = self.store.application(request)
        revisions = _filtered(application, request)
        sort_by, order = request.get("sortBy"), request.get("sortOrder")
        if sort_by is not None and sort_by not in _SORT:
            raise CodeDeployError("InvalidSortByException", f"The column name is not valid: {sort_by}")
        if order not in (None, "ascending", "descending"):
            raise CodeDeployError("InvalidSortOrderException", f"The sort order is not valid: {order}")
        ordered = sorted(revisions, key=_SORT[sort_by or "registerTime"], reverse=order == "descending")
        page, more = self.store.page(
            list(enumerate(ordered)),
            request.get("nextToken"),
            scope=f"revisions/{application.name}/{sort_by}/{order}",
            key=lambda numbered: numbered[0],
        )
        return {"revisions": [revision.location for _, revision in page], **more}

    def _register(self, application: Application, location: dict[str, Any], described: str) -> Revision:
        revision = Revision(location=location, registered_at=self.world.now(), description=described)
        application.revisions[revision_key(location)] = revision
        return revision

    def _note_use(self, application: Application, location: dict[str, Any], deployment_id: str) -> None:
        """A deployment registers its revision, if nobody has, and counts as its use."""
        revision = application.revisions.get(revision_key(location)) or self._register(
            application, location, f"Application revision registered by Deployment ID: {deployment_id}"
        )
        revision.last_used_at = self.world.now()
        revision.first_used_at = revision.first_used_at or revision.last_used_at


def _filtered(application: Application, request: Request) -> list[Revision]:
    bucket, prefix = request.get("s3Bucket"), request.get("s3KeyPrefix") or ""
    if prefix and not bucket:
        raise CodeDeployError(
            "BucketNameFilterRequiredException", "A bucket name is required with a key prefix."
        )
    deployed = request.get("deployed") or "ignore"
    if deployed not in ("include", "exclude", "ignore"):
        raise CodeDeployError("InvalidDeployedStateFilterException", f"Not a deployed state: {deployed}")
    targets = [group.last_successful for group in application.groups.values() if group.last_successful]
    in_use = {deployment.revision_key for deployment in targets}

    def fits(revision: Revision) -> bool:
        s3 = revision.location["s3Location"]
        used = revision_key(revision.location) in in_use
        return (
            (not bucket or s3["bucket"] == bucket)
            and s3["key"].startswith(prefix)
            and (deployed == "ignore" or used == (deployed == "include"))
        )

    return [revision for revision in application.revisions.values() if fits(revision)]


def s3_revision(location: Any) -> dict[str, Any]:
    """A RevisionLocation that names a bundle in S3.

    Raises: CodeDeployError, RevisionRequiredException or InvalidRevisionException.
    """
    if not location:
        raise CodeDeployError("RevisionRequiredException", "The revision must be specified.")
    if location.get("revisionType") != "S3":
        raise CodeDeployError(
            "InvalidRevisionException",
            f"The revision type {location.get('revisionType')} is not one that the deployctl sandbox models: S3.",
        )
    s3 = location.get("s3Location") or {}
    missing = [member for member in ("bucket", "key", "bundleType") if not s3.get(member)]
    if missing:
        raise CodeDeployError("InvalidRevisionException", f"The S3 location lacks {', '.join(missing)}.")
    if s3["bundleType"] not in ("tar", "tgz", "zip"):
        raise CodeDeployError("InvalidRevisionException", f"The bundle type is not valid: {s3['bundleType']}")
    return {"revisionType": "S3", "s3Location": dict(s3)}


def description(request: Request) -> str | None:
    """The description in a request, at most 256 characters."""
    text = request.get("description")
    if text is not None and len(text) > DESCRIPTION_LIMIT:
        raise CodeDeployError(
            "DescriptionTooLongException", f"The description is longer than {DESCRIPTION_LIMIT} characters."
        )
    return text
