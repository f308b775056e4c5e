"""What goes wrong with AWS itself, whichever service it is: credentials, permission, reach, limits."""

import os
from urllib.parse import urlsplit

from deployctl.errors import AccessError, Failed, Unreachable, UsageError
from deployctl.model.command import quoted

_AGAIN = "run the same command again"


def profile_in_use() -> str | None:
    """The AWS profile that the environment chooses; None for the default."""
    return os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or None


def _of_profile(profile: str | None) -> str:
    return "" if profile is None else f" --profile {quoted(profile)}"


def _export(profile: str | None) -> str:
    """The command whose credentials this shell then has: the AWS CLI knows every kind of profile."""
    return f'eval "$(aws configure export-credentials{_of_profile(profile)} --format env)"'


class NoCredentials(AccessError, code="no-credentials"):
    """No AWS credentials were found, or the profile's source of credentials failed.

    `by_program`: the profile's credential_process failed. `login`: how to log in, such as `aws sso login`.
    """

    def __init__(
        self, why: str, *, profile: str | None = None, by_program: bool = False, login: str | None = None
    ) -> None:
        profile = profile or profile_in_use()
        remedy = 'aws sso login, or export AWS_PROFILE=…, or eval "$(deployctl sandbox env)"'
        if by_program:
            remedy = (
                f"aws sts get-caller-identity{_of_profile(profile)}"
                "   # then correct credential_process in ~/.aws/config"
            )
        elif login is not None:
            remedy = f"{login}{_of_profile(profile)}   # then {_AGAIN}"
        elif profile is not None:
            remedy = f"{_export(profile)}   # or choose another profile: export AWS_PROFILE=…"
        super().__init__(
            "there are no AWS credentials"
            if profile is None
            else f"AWS profile {profile!r} gives no credentials",
            noun=profile or "credentials",
            remedy=remedy,
            details=(why,),
        )


class MfaCodeNeeded(AccessError, code="mfa-code-needed"):
    """The AWS profile needs an MFA code, and this command may not ask for it."""

    def __init__(self, profile: str) -> None:
        super().__init__(
            f"AWS profile {profile!r} needs an MFA code, and there is no terminal or --no-input was given",
            noun=profile,
            remedy=f"{_export(profile)}   # asks for the code; then {_AGAIN}",
        )


class CredentialsMalformed(AccessError, code="credentials-malformed"):
    """A key or token has a line end, a blank or another character that AWS's keys never have."""

    def __init__(self, noun: str, where: str) -> None:
        super().__init__(
            f"the {where} has a line end, a blank or another character that no AWS key or token has",
            noun=noun,
            remedy=f"set it again without line ends and blanks, then {_AGAIN}",
        )


class CredentialsExpired(AccessError, code="credentials-expired"):
    """The AWS credentials have expired."""

    def __init__(self, why: str, *, login: str = "aws sso login") -> None:
        super().__init__(
            "the AWS credentials have expired; started deployments keep running in CodeDeploy",
            noun="credentials",
            remedy=f"{login}{_of_profile(profile_in_use())}"
            f"   # or renew keys or role as you got them, then {_AGAIN} to resume",
            details=(why,),
        )


class CredentialsRefused(AccessError, code="credentials-refused"):
    """AWS does not know these credentials, or their signature does not fit."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(
            f"AWS rejected the credentials: {code}",
            noun="credentials",
            remedy=f"aws sts get-caller-identity{_of_profile(profile_in_use())}"
            "   # shows which ones are used; correct the keys, the profile or the role",
            details=(message,),
        )


class ClockSkewed(AccessError, code="clock-skewed"):
    """AWS rejected a request because this machine's clock is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "this machine's clock is off by minutes, so AWS rejects its signatures",
            noun="clock",
            remedy=f"timedatectl set-ntp true   # then {_AGAIN}",
            details=(message,),
        )


class ProfileUnknown(AccessError, code="profile-unknown"):
    """The AWS profile does not exist."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why,
            noun="AWS profile",
            remedy="aws configure list-profiles   # then export AWS_PROFILE=…",
        )


class AccessDenied(AccessError, code="access-denied"):
    """The role that runs deployctl lacks an IAM permission.

    `action` is IAM's name, such as codedeploy:CreateDeployment; `resource` is what the request acted on.
    """

    def __init__(self, *, action: str, resource: str, details: tuple[str, ...]) -> None:
        super().__init__(
            f"{action} is not allowed on {resource}",
            noun=resource,
            remedy=f"allow {action} for the role that runs deployctl, then {_AGAIN}",
            details=details,
        )
        self.action = action
        self.resource = resource


class RegionMissing(UsageError, code="region-missing"):
    """No AWS region is set."""

    def __init__(self) -> None:
        super().__init__(
            "no AWS region is set",
            noun="region",
            remedy="set region = … in deployctl.toml, or export AWS_DEFAULT_REGION=…",
        )


class RegionUnknown(UsageError, code="region-unknown"):
    """AWS has no region of this name."""

    def __init__(self, why: str) -> None:
        super().__init__(why, noun="region", remedy="set region = … in deployctl.toml, such as eu-west-1")


class EndpointInvalid(UsageError, code="endpoint-invalid"):
    """AWS_ENDPOINT_URL is not a URL."""

    def __init__(self, why: str) -> None:
        super().__init__(
            why, noun="AWS_ENDPOINT_URL", remedy="unset AWS_ENDPOINT_URL, or set it to a URL such as http://…"
        )


class BucketMissing(UsageError, code="bucket-missing"):
    """The S3 bucket does not exist."""

    def __init__(self, bucket: str) -> None:
        super().__init__(
            f"there is no S3 bucket {bucket!r}",
            noun=bucket,
            remedy=f"set bucket = … in deployctl.toml, or aws s3 mb s3://{bucket}",
        )


class BucketElsewhere(UsageError, code="bucket-elsewhere"):
    """The bucket is in another region, and CodeDeploy fetches bundles only from its own."""

    def __init__(self, bucket: str, *, there: str | None, here: str | None) -> None:
        super().__init__(
            f"bucket {bucket!r} is in {there or 'another region'}, not in {here or 'the one configured'}",
            noun=bucket,
            remedy=f"set region = {there or '…'!r} in deployctl.toml, or another bucket",
        )
        self.region = there


class ThrottlingExceeded(Unreachable, code="throttling-exceeded"):
    """AWS still throttled the request after all retries."""

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(
            f"AWS throttled {operation} until the retry budget was spent",
            noun=operation,
            remedy=f"{_AGAIN} in a minute: it resumes",
            details=(message,),
        )


class ServiceUnreachable(Unreachable, code="service-unreachable"):
    """An AWS service could not be reached. `refused`: nothing listens at the endpoint."""

    def __init__(self, *, operation: str, endpoint: str, why: str, refused: bool) -> None:
        super().__init__(
            f"no answer to {operation} from {endpoint}",
            noun=endpoint,
            remedy="deployctl sandbox start, or correct AWS_ENDPOINT_URL: nothing listens on that port"
            if refused and _is_loopback(endpoint)
            else f"check the network, the region and AWS_ENDPOINT_URL, then {_AGAIN}",
            details=(why,),
        )


def _is_loopback(endpoint: str) -> bool:
    try:
        host = urlsplit(endpoint).hostname or ""
    except ValueError:
        return False
    return host in ("localhost", "::1") or host.startswith("127.")


class ServiceFault(Unreachable, code="service-fault"):
    """AWS still answered with a fault of its own (5xx) after all retries."""

    def __init__(self, operation: str, message: str) -> None:
        super().__init__(
            f"AWS failed at {operation} until the retry budget was spent",
            noun=operation,
            remedy=f"{_AGAIN} in a minute: it resumes",
            details=(message,),
        )


class ServiceError(Failed, code="service-error"):
    """AWS answered with an error that deployctl does not translate."""

    def __init__(self, *, operation: str, noun: str, code: str, message: str, request_id: str | None) -> None:
        super().__init__(
            f"{operation} failed on {noun}: {code}: {message}",
            noun=noun,
            remedy=f"{_AGAIN}; if the error persists, give AWS support the request id",
            details=(f"request id {request_id}",) if request_id else (),
        )


class UnexpectedAnswer(Failed, code="unexpected-answer"):
    """AWS answered with something that this deployctl does not understand."""

    def __init__(self, *, operation: str, why: str) -> None:
        super().__init__(
            f"{operation} answered with something unexpected: {why}",
            noun=operation,
            remedy="upgrade deployctl, or check where AWS_ENDPOINT_URL points",
        )
