"""The simulated account, and its initial resources."""

from typing import Final

ACCOUNT_ID: Final = "123456789012"
REGION: Final = "eu-west-1"
ZONES: Final = ("eu-west-1a", "eu-west-1b", "eu-west-1c")

#: The only accepted credentials: the sandbox refuses real keys.
ACCESS_KEY_ID: Final = "sandbox"
SECRET_ACCESS_KEY: Final = "sandbox"  # noqa: S105 - an obvious fake, and never checked

APPLICATION: Final = "shop"
BUCKET: Final = "deployctl-sandbox"
DATABASE: Final = "deployctl"
WORKGROUP: Final = "deployctl"
ALARM: Final = f"{APPLICATION}-errors"
USER_ARN: Final = f"arn:aws:iam::{ACCOUNT_ID}:user/sandbox"
CODEDEPLOY_ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT_ID}:role/{APPLICATION}-codedeploy"
INSTANCE_PROFILE_ARN: Final = f"arn:aws:iam::{ACCOUNT_ID}:instance-profile/{APPLICATION}-worker"
