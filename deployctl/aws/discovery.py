"""Lists what an account holds, for suggestions of `init`; every answer is optional."""

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3.session

from deployctl.aws.error_translation import translating
from deployctl.aws.session import Aws


class AwsDiscovery:
    """Lists names, a region at a time. Every method may raise a DeployctlError."""

    def __init__(self, open_region: Callable[[str], Aws]) -> None:
        self._session = cache(open_region)

    def region(self) -> str | None:
        """The region of the environment or the profile in use."""
        with translating("sts:Configure", noun="AWS configuration"):
            return boto3.session.Session().region_name

    def applications(self, region: str) -> list[str]:
        with translating("codedeploy:ListApplications", noun="applications"):
            pages = self._session(region).codedeploy.get_paginator("list_applications").paginate()
            return [name for page in pages for name in page.get("applications", [])]

    def buckets(self, region: str) -> list[str]:
        with translating("s3:ListBuckets", noun="buckets"):
            reply = self._session(region).s3.list_buckets(BucketRegion=region)
            return [bucket["Name"] for bucket in reply.get("Buckets", [])]

    def workgroups(self, region: str) -> list[str]:
        athena, token, names = self._session(region).athena, None, list[str]()
        while True:
            page: dict[str, Any] = {"NextToken": token} if token else {}
            with translating("athena:ListWorkGroups", noun="workgroups"):
                reply = athena.list_work_groups(**page)
            names += [group["Name"] for group in reply.get("WorkGroups", [])]
            token = reply.get("NextToken")
            if not token:
                return names
